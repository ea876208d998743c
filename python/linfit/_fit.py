from __future__ import annotations

import html
import math
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from linfit import _linfit
from linfit._arrays import Data, as_given, as_mask, as_pair, bytes_of, to_numpy
from linfit._warning import FitWarning

SolverName: TypeAlias = Literal["exact", "moments", "sgd"]
EngineName: TypeAlias = Literal["auto", "cpu", "gpu", "reference"]
PrecisionName: TypeAlias = Literal["fast", "compensated", "f64"]
UpdateName: TypeAlias = Literal["auto", "host", "device"]

#: Called with the step, the loss, W and b.
Callback: TypeAlias = Callable[[int, float, float, float], object]

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


def fit(
    x: Data,
    t: Data,
    *,
    weights: Data | None = None,
    mask: Data | None = None,
    nodata: float | None = None,
    x_nodata: float | None = None,
    t_nodata: float | None = None,
    valid_range: tuple[float, float] | None = None,
    solver: SolverName = "exact",
    line: str = "least-squares",
    robust: str | None = None,
    loss: str | None = None,
    engine: EngineName = "auto",
    adapter: int | str | None = None,
    precision: PrecisionName | None = None,
    memory: int | str | None = None,
    lr: float | Literal["auto"] | None = None,
    steps: int | None = None,
    tol: float | None = None,
    rtol: float | None = None,
    w0: float | None = None,
    b0: float | None = None,
    momentum: float | None = None,
    dampening: float | None = None,
    nesterov: bool | None = None,
    weight_decay: float | None = None,
    schedule: str | None = None,
    standardize: bool | None = None,
    force: bool | None = None,
    update: UpdateName | None = None,
    steps_per_submit: int | None = None,
    threads: int | None = None,
    history: bool = True,
    callback: Callback | None = None,
    progress: bool = False,
) -> Fit:
    """Finds W and b of Y = X·W + b, so that Y comes closest to T.

    X and T are arrays of the same shape, or the names of files (``"image.tif:1"``).
    Arrays are not copied where their layout allows, and must not be written to
    meanwhile.

    weights: the sample weight of each pair, such as 1/variance; one of 0 excludes it.
    mask: of X's shape; pairs are excluded where it is 0 or NaN. (NumPy's masked arrays
    say the opposite; give them as X, T or weights, and their masks are heeded.)
    nodata: the nodata value of X and T, whose pairs are excluded; x_nodata, t_nodata:
    of one of them. valid_range: the least and the greatest valid value.

    solver: "exact" takes the least-squares line in closed form; "sgd" descends, with a
    pass over the data for each step; "moments" takes the same steps from the moments of
    the data, after one pass. lr (0.01; "auto" is the fastest), steps (1,000), tol, rtol,
    w0 and b0 are for the two that descend, and mean what they mean to ``linfit fit``; so do
    momentum, dampening, nesterov and weight_decay (those of torch.optim.SGD), and schedule
    ("cosine:1000", …).

    line: "least-squares"; "through-origin" (W alone, b is b0); "offset" (b alone, W is w0,
    or 1); or, with errors in X too: "rma", "major-axis", "deming:DELTA". robust: "huber",
    "tukey" or "clip", perhaps with a constant ("huber:1.5"): weighs residuals less the
    larger they are, round after round. loss: "huber:DELTA" for "sgd".

    engine: "auto" is a real GPU for "sgd", if there is one, and the CPU for all else.
    adapter, precision: of a GPU; see :func:`linfit.devices`. memory: the most bytes of
    arrays of files, and of a device, such as "4GB"; larger ones are streamed.
    threads: of the CPU; all cores without it.

    callback: called after every step with the step, the loss, W and b; what it raises
    ends the fit. progress: shows a bar by tqdm, if that is there.

    Raises ValueError or TypeError for data and settings that cannot be fitted, OSError
    for files, linfit.DeviceError for devices. Ctrl-C raises KeyboardInterrupt.
    """
    bound = bytes_of(memory)
    x, t, valid = as_pair(x, t, bound)
    settings = validity(weights, mask, valid, nodata, x_nodata, t_nodata, valid_range, bound)
    settings |= engine_settings(engine, adapter, precision, bound, threads)
    settings |= solver_settings(
        solver, line, lr, steps, tol, rtol, w0, b0, standardize, force, update, steps_per_submit, robust, loss
    )
    settings |= {
        "momentum": momentum,
        "dampening": dampening,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
        "schedule": schedule,
    }
    bar, callback = _bar(progress and solver != "exact", steps, callback)
    settings |= {"history": history, "callback": callback}
    try:
        return Fit(_linfit.fit(x, t, settings))
    finally:
        if bar is not None:
            bar.close()


def validity(
    weights: Data | None,
    mask: Data | None,
    valid: npt.NDArray[np.bool_] | None,
    nodata: float | None,
    x_nodata: float | None,
    t_nodata: float | None,
    valid_range: Sequence[float] | None,
    memory: int | None,
) -> dict[str, Any]:
    """The keywords of valid data as the extension module takes them."""
    given = None
    if weights is not None:
        given, weights_valid = as_given("weights", weights, memory)
        if weights_valid is not None:
            given = np.where(weights_valid, to_numpy(given), 0.0)
    if valid_range is not None:
        low, high = valid_range
        if not low <= high:
            raise ValueError(f"valid_range={valid_range!r}: expected two numbers, the least first")
        valid_range = [float(low), float(high)]
    return {
        "weights": given,
        "mask": as_mask(mask, valid, memory),
        "x_nodata": nodata if x_nodata is None else x_nodata,
        "t_nodata": nodata if t_nodata is None else t_nodata,
        "valid_range": valid_range,
        "memory": memory,
    }


def engine_settings(
    engine: str, adapter: int | str | None, precision: str | None, memory: int | None, threads: int | None
) -> dict[str, Any]:
    """The keywords of an engine as the extension module takes them."""
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads!r}: expected a number of 1 or more")
    return {
        "engine": engine,
        "adapter": adapter,
        "precision": precision,
        "device_memory": memory,
        "threads": threads,
    }


def solver_settings(
    solver: str,
    line: str,
    lr: float | str | None,
    steps: int | None,
    tol: float | None,
    rtol: float | None,
    w0: float | None,
    b0: float | None,
    standardize: bool | None,
    force: bool | None,
    update: str | None = None,
    steps_per_submit: int | None = None,
    robust: str | None = None,
    loss: str | None = None,
) -> dict[str, Any]:
    """The keywords of a solver as the extension module takes them."""
    for name, number in (("steps", steps), ("steps_per_submit", steps_per_submit)):
        if number is not None and number < 0:
            raise ValueError(f"{name}={number!r}: expected a number of 0 or more")
    return {
        "solver": solver,
        "line": line,
        "robust": robust,
        "loss": loss,
        "momentum": None,
        "dampening": None,
        "nesterov": None,
        "weight_decay": None,
        "schedule": None,
        "lr": lr,
        "steps": steps,
        "tol": tol,
        "rtol": rtol,
        "w0": w0,
        "b0": b0,
        "standardize": standardize,
        "force": force,
        "update": update,
        "steps_per_submit": steps_per_submit,
    }


def _bar(progress: bool, steps: int | None, callback: Callback | None) -> tuple[Any, Callback | None]:
    """A progress bar, and a callback that moves it too."""
    if not progress:
        return None, callback
    try:
        from tqdm.auto import tqdm
    except ImportError:
        warnings.warn("progress=True shows a bar by tqdm, which is not installed", FitWarning, stacklevel=3)
        return None, callback
    bar = tqdm(total=1000 if steps is None else steps, unit="step")

    def see(step: int, loss: float, weight: float, bias: float) -> None:
        bar.update(step - bar.n)
        bar.set_postfix(loss=loss, refresh=False)
        if callback is not None:
            callback(step, loss, weight, bias)

    return bar, see


def predict(
    model: Fit | tuple[float, float] | str | os.PathLike[str],
    x: Data,
    *,
    out: npt.NDArray[Any] | None = None,
    dtype: npt.DTypeLike | None = None,
) -> npt.NDArray[Any]:
    """Y = X·W + b, element by element, computed in float64.

    ``model`` is a fit, (W, b), or the name of a file that Fit.save or ``linfit fit
    --save`` wrote. Y has the type ``dtype``: that of ``out`` or, without one, float64;
    whole numbers are rounded, and clamped to the ends of their range. Y of a masked
    array is masked alike.
    """
    weight, bias = _line(model)
    given, valid = as_given("x", x)
    shape = given.shape
    kind = np.dtype(np.float64 if out is None else out.dtype) if dtype is None else np.dtype(dtype)
    if out is not None and out.dtype != kind:
        raise ValueError(f"out: expected an array of {kind}, as dtype= says, not of {out.dtype}")
    if out is not None and out.shape != tuple(shape):
        raise ValueError(f"out: expected an array of X's shape, {tuple(shape)}, not {out.shape}")
    if kind.kind not in "biuf" or kind.itemsize > 8:
        raise TypeError(f"dtype: Y cannot be of {kind}; use float32, float64 or a whole type")
    is_direct = kind in (np.dtype(np.float32), np.dtype(np.float64))
    if is_direct and (out is None or (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable)):
        y = np.empty(shape, kind) if out is None else out
        if isinstance(given, np.ndarray) and np.may_share_memory(given, y):
            given = given.copy()
        _linfit.predict_into(given, weight, bias, y)
    else:
        exact = np.empty(shape, np.float64)
        _linfit.predict_into(given, weight, bias, exact)
        y = np.empty(shape, kind) if out is None else out
        if kind.kind in "iu":
            ends = np.iinfo(kind)
            np.clip(np.rint(exact, out=exact), float(ends.min), float(ends.max), out=exact)
            if kind.itemsize == 8:  # 2^63 and 2^64 are beyond the type, and the nearest float64.
                is_above = exact >= float(ends.max)
                y[...] = np.where(is_above, 0.0, exact).astype(kind)
                y[is_above] = ends.max
            else:
                y[...] = exact.astype(kind)
        else:
            y[...] = exact.astype(kind)
    if valid is not None and out is None:
        return np.ma.MaskedArray(y, ~valid)
    return y


def _line(model: Fit | tuple[float, float] | str | os.PathLike[str]) -> tuple[float, float]:
    if isinstance(model, Fit):
        return model.weight, model.bias
    if isinstance(model, (str, os.PathLike)):
        return _linfit.load_model(os.fspath(model))
    weight, bias = model
    return float(weight), float(bias)
