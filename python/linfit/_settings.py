"""Keywords as the extension module takes them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from linfit._arrays import as_given, as_mask, to_numpy
from linfit._keywords import Callback
from linfit._warning import FitWarning

#: The steps of a descent for which no number is given.
_STEPS = 1000


def settings_of(
    keywords: Mapping[str, Any], memory: int | None, valid: npt.NDArray[np.bool_] | None
) -> tuple[dict[str, Any], Any]:
    """The settings, and the progress bar that is to be closed.

    memory: the bound in bytes; valid: where masks of X and T leave them valid.
    """
    settings = dict(keywords)
    if memory is not None:
        settings["memory"] = memory
    weights, mask = settings.get("weights"), settings.get("mask")
    if weights is not None:
        given, weights_valid = as_given("weights", weights, memory)
        settings["weights"] = given if weights_valid is None else np.where(weights_valid, to_numpy(given), 0.0)
    if mask is not None or valid is not None:
        settings["mask"] = as_mask(mask, valid, memory)
    nodata = settings.pop("nodata", None)
    if nodata is not None:
        for name in ("x_nodata", "t_nodata"):
            if settings.get(name) is None:
                settings[name] = nodata
    valid_range = settings.get("valid_range")
    if valid_range is not None:
        low, high = valid_range
        if not low <= high:
            raise ValueError(f"valid_range={valid_range!r}: expected two numbers, the least first")
    threads = settings.get("threads")
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads!r}: expected a number of 1 or more")
    bar = None
    if settings.pop("progress", False) and settings.get("solver", "exact") != "exact":
        bar, callback = _bar(settings)
        settings["callback"] = callback
    return settings, bar


def _bar(settings: Mapping[str, Any]) -> tuple[Any, Callback | None]:
    """A progress bar, and a callback that moves it too."""
    callback: Callback | None = settings.get("callback")
    try:
        from tqdm.auto import tqdm
    except ImportError:
        warnings.warn("progress=True shows a bar by tqdm, which is not installed", FitWarning, stacklevel=4)
        return None, callback
    steps = settings.get("steps")
    # Of batches, only the data tell how many there are.
    total = None if settings.get("batch") is not None else _STEPS if steps is None else steps
    bar = tqdm(total=total, unit="step")

    def see(step: int, loss: float, weight: float, bias: float) -> None:
        bar.update(step - bar.n)
        bar.set_postfix(loss=loss, refresh=False)
        if callback is not None:
            callback(step, loss, weight, bias)

    return bar, see
