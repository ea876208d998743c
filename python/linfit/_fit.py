from __future__ import annotations

import html
import math
import os
import warnings
from collections.abc import Sequence
from typing import Any, Unpack, overload

import numpy as np
import numpy.typing as npt

from linfit import _linfit
from linfit._arrays import Data, as_pair, bytes_of
from linfit._fits import Fits, fit_many
from linfit._keywords import FitKeywords, ManyKeywords, check, names_of, takes
from linfit._predict import predict
from linfit._settings import settings_of
from linfit._warning import FitWarning

_FIT = names_of(FitKeywords)

_HISTORY = np.dtype(
    [
        ("step", np.uint64),
        ("loss", np.float64),
        ("grad_weight", np.float64),
        ("grad_bias", np.float64),
        ("weight", np.float64),
        ("bias", np.float64),
    ]
)


class Fit:
    """The line Y = X·W + b of a fit, and how good it is.

    A number that the data do not determine is NaN.
    """

    #: W.
    weight: float
    #: b.
    bias: float
    #: The mean squared error there, weighted if there are weights.
    loss: float
    #: ∂L/∂W and ∂L/∂b there.
    grad_weight: float
    grad_bias: float
    #: Valid pairs of elements, and those that were excluded.
    n: int
    excluded: int
    #: Updates made, by which solver, at which rate (NaN without steps), and why it ended.
    steps: int
    solver: str
    learning_rate: float
    stop_reason: str
    #: Statistics of the least-squares line, as scipy.stats.linregress defines them.
    r2: float
    r: float
    residual_std: float
    stderr_weight: float
    stderr_bias: float
    p_value: float
    #: The learning rate below which descent converges, the fastest one, and λmax/λmin.
    lr_max: float
    lr_best: float
    condition: float
    #: Of a robust fit: the scale of the residuals (NaN of others), the rounds, and the
    #: pairs that have the weight 0.
    scale: float
    rounds: int
    rejected: int
    #: The engine, in words.
    engine: str

    __slots__ = (
        "_result",
        "bias",
        "condition",
        "engine",
        "excluded",
        "grad_bias",
        "grad_weight",
        "learning_rate",
        "loss",
        "lr_best",
        "lr_max",
        "n",
        "p_value",
        "r",
        "r2",
        "rejected",
        "residual_std",
        "rounds",
        "scale",
        "solver",
        "stderr_bias",
        "stderr_weight",
        "steps",
        "stop_reason",
        "weight",
    )

    def __init__(self, result: _linfit.Result) -> None:
        self._result = result
        numbers = result.numbers()
        far_by, unsettled = numbers.pop("far_by"), numbers.pop("unsettled")
        if unsettled is not None:
            warnings.warn(unsettled, FitWarning, stacklevel=3)
        for name, value in numbers.items():
            setattr(self, name, value)
        self._warn(far_by)

    def _warn(self, far_by: float) -> None:
        if self.stop_reason == "diverged":
            why = "the sums of squares overflow; scale the data to about 1"
            if self.learning_rate >= self.lr_max:
                why = f"lr={self.learning_rate!r} is not below {self.lr_max:.6g}, as these data demand; use lr='auto'"
            text = f"diverged at step {self.steps + 1}: {why}; the last finite state is given"
        elif not math.isnan(far_by) and self.steps > 0:
            text = (
                f"the descent ended far from the least-squares line, with {far_by:.3e} times the least loss; "
                "use more steps=, lr='auto', standardize=True or solver='exact'"
            )
        else:
            return
        warnings.warn(text, FitWarning, stacklevel=4)

    @property
    def history(self) -> npt.NDArray[np.void] | None:
        """The state after each step, from step 0 on: a structured array with step, loss,
        grad_weight, grad_bias, weight and bias. None where there are no steps, or
        history=False."""
        rows = self._result.history()
        return None if rows is None else np.frombuffer(rows, _HISTORY)

    def predict(
        self, x: Data, *, out: npt.NDArray[Any] | None = None, dtype: npt.DTypeLike | None = None
    ) -> npt.NDArray[Any]:
        """Y = X·W + b; see :func:`linfit.predict`."""
        return predict(self, x, out=out, dtype=dtype)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the result as JSON, which ``linfit predict`` and :func:`linfit.predict`
        read."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self._result.json() + "\n")

    def to_json(self) -> str:
        """The result as ``linfit fit --json`` prints it."""
        return self._result.json()

    def __str__(self) -> str:
        return self._result.text()

    def __repr__(self) -> str:
        return f"linfit.Fit(weight={self.weight!r}, bias={self.bias!r}, loss={self.loss!r}, n={self.n})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@overload
def fit(x: Data, t: Data, **keywords: Unpack[FitKeywords]) -> Fit: ...
@overload
def fit(x: Data, t: Data, *, axis: int | Sequence[int], **keywords: Unpack[ManyKeywords]) -> Fits: ...
@overload
def fit(x: Data, t: Data, *, groups: Data | Sequence[str], **keywords: Unpack[ManyKeywords]) -> Fits: ...
@overload
def fit(x: Data, t: Data, *, tile: tuple[int, int], **keywords: Unpack[ManyKeywords]) -> Fits: ...
@overload
def fit(x: Data, t: Data, *, window: tuple[int, int], **keywords: Unpack[ManyKeywords]) -> Fits: ...
@takes(FitKeywords)
def fit(
    x: Data,
    t: Data,
    *,
    axis: int | Sequence[int] | None = None,
    groups: Data | Sequence[str] | None = None,
    tile: tuple[int, int] | None = None,
    window: tuple[int, int] | None = None,
    **keywords: Any,
) -> Fit | Fits:
    """Finds W and b of Y = X·W + b, so that Y comes closest to T.

    X and T are arrays of the same shape, or the names of files (``"image.tif:1"``).
    Arrays are not copied where their layout allows, and must not be written to
    meanwhile.

    One fit over all elements is a :class:`Fit`. One for each of many groups is a
    :class:`Fits`, with arrays in the place of numbers:

    - axis: the axis, or the axes, that each fit runs along; the others number the fits,
      as in NumPy. X may have these axes alone, and is then the same for every fit.
    - groups: a label for each element, a whole number or a text; None and NaN are none.
    - tile: rows and columns of the tiles of the last two axes.
    - window: an odd number of rows and columns about every element.

    Of a group without a line (fewer than two elements, or X does not vary), all numbers
    but n are NaN.

    weights: the sample weight of each pair, such as 1/variance; one of 0 excludes it.
    mask: of X's shape; pairs are excluded where it is 0 or NaN. (NumPy's masked arrays
    say the opposite; give them as X, T or weights, and their masks are heeded.)
    nodata: the nodata value of X and T, whose pairs are excluded; x_nodata, t_nodata:
    of one of them. valid_range: the least and the greatest valid value.

    solver: "exact" takes the least-squares line in closed form; "sgd" descends, with a
    pass over the data for each step; "moments" takes the same steps from the moments of
    the data, after one pass. lr (0.01; "auto" is the fastest), steps (1,000), tol, rtol,
    w0 and b0 are for the two that descend, and mean what they mean to ``linfit fit``; so do
    momentum (with lr="auto", also "auto"), dampening, nesterov and weight_decay (those of
    torch.optim.SGD), schedule ("cosine:1000", …), standardize and force.

    batch: the elements of a mini-batch, with epochs (1), shuffle ("none", "block" or
    "element"), seed (0), drop_last, average (of the last half of the epochs) and patience
    (the epochs without a smaller loss, after which it ends).

    line: "least-squares"; "through-origin" (W alone, b is b0); "offset" (b alone, W is w0,
    or 1); or, with errors in X too: "rma", "major-axis", "deming:DELTA". robust: "huber",
    "tukey" or "clip", perhaps with a constant ("huber:1.5"): weighs residuals less the
    larger they are, round after round. loss: "huber:DELTA" for "sgd".

    engine: "auto" is a real GPU for "sgd", if there is one, and the CPU for all else.
    adapter, precision, update, steps_per_submit: of a GPU; see :func:`linfit.devices`.
    memory: the most bytes of arrays of files, and of a device, such as "4GB"; larger ones
    are streamed. threads: of the CPU; all cores without it.

    callback: called after every step with the step, the loss, W and b; what it raises
    ends the fit. history: whether every step is kept. progress: shows a bar by tqdm, if
    that is there.

    Raises ValueError or TypeError for data and settings that cannot be fitted, OSError
    for files, linfit.DeviceError for devices. Ctrl-C raises KeyboardInterrupt.
    """
    if keywords:
        check("fit", _FIT, keywords)
    if axis is not None or groups is not None or tile is not None or window is not None:
        return fit_many(x, t, axis, groups, tile, window, keywords)
    bound = bytes_of(keywords.get("memory"))
    x, t, valid = as_pair(x, t, bound)
    settings, bar = settings_of(keywords, bound, valid)
    try:
        return Fit(_linfit.fit(x, t, settings))
    finally:
        if bar is not None:
            bar.close()
