"""The types of the package: mypy's strict check, and the stubs against the module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def run(*arguments):
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=PACKAGE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sources_are_typed():
    run("mypy", "--strict", "linfit")


def test_the_stubs_are_those_of_the_module():
    run("mypy.stubtest", "--mypy-config-file", "pyproject.toml", "linfit._linfit")


def test_users_code_is_typed(tmp_path):
    code = tmp_path / "user.py"
    code.write_text(
        "import numpy as np\n"
        "import linfit\n"
        "fit = linfit.fit([1.0, 2.0], 'a.tif:1', solver='sgd', lr='auto', callback=lambda *state: None)\n"
        "weight: float = fit.weight\n"
        "y = fit.predict(np.zeros(3, np.float32), dtype='u1')\n"
        "m = linfit.Moments.of([1, 2], [3, 4]) + linfit.Moments.of([1, 2], [3, 4])\n"
        "n: int = m.fit().n\n"
    )
    run("mypy", "--strict", str(code))
