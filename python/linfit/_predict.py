from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from linfit import _linfit
from linfit._arrays import Data, as_given, to_numpy
from linfit._groups import Grouping

if TYPE_CHECKING:
    from linfit._fit import Fit
    from linfit._fits import Fits

#: One line, or many, or the name of the file that they were saved to.
Model: TypeAlias = "Fit | Fits | tuple[float, float] | str | os.PathLike[str]"


def predict(
    model: Model,
    x: Data,
    *,
    groups: Data | None = None,
    out: npt.NDArray[Any] | None = None,
    dtype: npt.DTypeLike | None = None,
) -> npt.NDArray[Any]:
    """Y = X·W + b, element by element, computed in float64.

    ``model`` is a fit, or fits; (W, b); or the name of a file that Fit.save, Fits.save or
    ``linfit fit --save`` wrote. Many fits are brought to X's shape as they were found:
    X is grouped along the same axes or in the same tiles, and ``groups`` has the labels of
    its elements. Y is NaN where there is no line.

    Y has the type ``dtype``: that of ``out`` or, without one, float64; whole numbers are
    rounded, and clamped to the ends of their range. Y of a masked array is masked alike.
    """
    line, many = _read(model)
    given, valid = as_given("x", x)
    shape = tuple(given.shape)
    found: npt.NDArray[np.float64] | None = None
    if many is not None:
        found = _of_many(*many, given, groups)
        shape = found.shape
    elif groups is not None:
        raise ValueError("groups= is of fits of labels, and this is one line; remove it")
    kind = np.dtype(np.float64 if out is None else out.dtype) if dtype is None else np.dtype(dtype)
    if out is not None and out.dtype != kind:
        raise ValueError(f"out: expected an array of {kind}, as dtype= says, not of {out.dtype}")
    if out is not None and out.shape != shape:
        raise ValueError(f"out: expected an array of X's shape, {shape}, not {out.shape}")
    if kind.kind not in "biuf" or kind.itemsize > 8:
        raise TypeError(f"dtype: Y cannot be of {kind}; use float32, float64 or a whole type")
    if found is None:
        y = _of_line(given, *line, shape, kind, out)
    elif out is None and kind == found.dtype:
        y = found
    else:
        y = _stored(found, kind, out)
    if valid is not None and out is None:
        return np.ma.MaskedArray(y, ~np.broadcast_to(valid, y.shape))
    return y


def _of_line(
    x: Any, weight: float, bias: float, shape: tuple[int, ...], kind: np.dtype[Any], out: npt.NDArray[Any] | None
) -> npt.NDArray[Any]:
    is_direct = kind in (np.dtype(np.float32), np.dtype(np.float64))
    if is_direct and (out is None or (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable)):
        y = np.empty(shape, kind) if out is None else out
        if isinstance(x, np.ndarray) and np.may_share_memory(x, y):
            x = x.copy()
        _linfit.predict_into(x, weight, bias, y)
        return y
    exact = np.empty(shape, np.float64)
    _linfit.predict_into(x, weight, bias, exact)
    return _stored(exact, kind, out)


def _of_many(
    weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64], grouping: Grouping, x: Any, groups: Any
) -> npt.NDArray[np.float64]:
    values = to_numpy(x)
    shape = values.shape
    weight = grouping.of_elements(weight, shape, groups)
    bias = grouping.of_elements(bias, shape, groups)
    values = values.reshape(grouping.aligned(shape, weight.ndim - len(shape)))
    y = np.empty(np.broadcast_shapes(values.shape, weight.shape), np.float64)
    y[...] = values
    y *= weight
    y += bias
    return y


def _stored(
    exact: npt.NDArray[np.float64], kind: np.dtype[Any], out: npt.NDArray[Any] | None
) -> npt.NDArray[Any]:
    """Numbers as a type has them; they may be changed."""
    y = np.empty(exact.shape, kind) if out is None else out
    if kind.kind not in "iu":
        y[...] = exact.astype(kind)
        return y
    if np.isnan(exact).any():
        raise ValueError(f"Y is NaN for some elements, for which {kind} has no value; use dtype=float")
    ends = np.iinfo(kind)
    np.clip(np.rint(exact, out=exact), float(ends.min), float(ends.max), out=exact)
    if kind.itemsize == 8:  # 2^63 and 2^64 are beyond the type, and the nearest float64.
        is_above = exact >= float(ends.max)
        y[...] = np.where(is_above, 0.0, exact).astype(kind)
        y[is_above] = ends.max
    else:
        y[...] = exact.astype(kind)
    return y


def _read(
    model: Any,
) -> tuple[tuple[float, float], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Grouping] | None]:
    """W and b; or those of many, and what groups them."""
    if isinstance(model, (str, os.PathLike)):
        saved = _linfit.load_fits(os.fspath(model))
        if saved is None:
            return _linfit.load_model(os.fspath(model)), None
        shape, kind, what, weight, bias = saved
        return (np.nan, np.nan), (weight.reshape(shape), bias.reshape(shape), Grouping(kind, what))
    grouping = getattr(model, "_grouping", None)
    if grouping is not None:
        return (np.nan, np.nan), (model.weight, model.bias, grouping)
    if hasattr(model, "weight"):
        return (model.weight, model.bias), None
    weight, bias = model
    return (float(weight), float(bias)), None
