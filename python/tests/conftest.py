from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest


@pytest.fixture
def examples() -> Path:
    """The data of the examples."""
    return Path(__file__).resolve().parents[2] / "examples" / "data"


@pytest.fixture
def pair() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """X and T = 2·X + 1 with residuals that no line explains, of 6×35 elements."""
    x = np.arange(210, dtype=np.float64).reshape(6, 35)
    t = 2 * x + 1 + (x * 37 % 11 - 5) / 4
    return x, t
