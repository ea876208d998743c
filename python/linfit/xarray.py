"""Fits of arrays with names and coordinates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Unpack, cast

import numpy as np
import xarray as xr

from linfit._fit import fit as _fit
from linfit._fits import NUMBERS
from linfit._keywords import FitKeywords, check, names_of, takes

__all__ = ["fit", "predict"]

_FIT = names_of(FitKeywords)

#: What the numbers of a fit are, for plots and files.
_LONG_NAMES = {
    "weight": "weight W of Y = X·W + b",
    "bias": "bias b of Y = X·W + b",
    "n": "valid pairs of elements",
    "loss": "mean squared error",
    "r2": "coefficient of determination",
    "residual_std": "standard deviation of the residuals",
    "stderr_weight": "standard error of the weight",
    "stderr_bias": "standard error of the bias",
}


@takes(FitKeywords)
def fit(
    x: xr.DataArray,
    t: xr.DataArray,
    *,
    dim: Hashable | Iterable[Hashable] | None = None,
    **keywords: Unpack[FitKeywords],
) -> xr.Dataset:
    """Finds W and b of Y = X·W + b, over all elements of two arrays or, with ``dim``,
    along one or several dimensions for each index of the others.

    X is brought to the dimensions of T, as arithmetic of xarray would do: a dimension
    that it has not is repeated; coordinates that differ are an error. The keywords are
    those of :func:`linfit.fit`; weights and mask may have names as well, and are brought to
    the dimensions of T alike.

    The result is a dataset of weight, bias, n, loss, r2, residual_std, stderr_weight
    and stderr_bias with the coordinates of T along the dimensions that are left. Of arrays
    of Dask it is computed by :mod:`linfit.dask`: lazily, where it has dimensions.
    """
    check("fit", _FIT, keywords)
    given: dict[str, Any] = {"x": x, "t": t}
    for name in ("weights", "mask"):
        companion = keywords.pop(name, None)  # type: ignore[misc]
        if companion is not None:
            given[name] = companion
    named = [name for name, array in given.items() if isinstance(array, xr.DataArray)]
    for name in ("x", "t"):
        if name not in named:
            raise TypeError(f"{name}: expected a DataArray; use linfit.fit for others")
    aligned = xr.align(*(given[name] for name in named), join="exact", copy=False)
    given |= dict(zip(named, aligned))
    target: xr.DataArray = given["t"]
    more = [d for name in named for d in given[name].dims if d not in target.dims]
    if more:
        raise ValueError(f"t has no dimension {more[0]!r}; its dimensions are {target.dims}")
    arrays = {
        name: array.broadcast_like(target).transpose(*target.dims).data if name in named else array
        for name, array in given.items()
    }
    axes = None if dim is None else [_axis(target, one) for one in _dims(target, dim)]
    is_lazy = any(hasattr(array, "dask") for array in arrays.values())
    if is_lazy:
        found = _lazily(arrays, axes, dict(keywords))
    else:
        grouping = {} if axes is None else {"axis": axes}
        whole = cast(Any, _fit)(**arrays, **grouping, **keywords)
        found = {name: getattr(whole, name) for name in NUMBERS}
    left = [d for k, d in enumerate(target.dims) if axes is not None and k not in axes]
    kept: dict[Hashable, Any] = {
        name: coordinate for name, coordinate in target.coords.items() if set(coordinate.dims) <= set(left)
    }
    variables = {
        name: (left, found[name], {"long_name": _LONG_NAMES[name]}) for name in NUMBERS
    }
    return xr.Dataset(variables, coords=kept)


def predict(model: xr.Dataset, x: xr.DataArray) -> xr.DataArray:
    """Y = X·W + b, with the dimensions and coordinates of X: each element by the W and b of
    its own coordinates. Lazily, where any of them is."""
    weight, bias = xr.align(model["weight"], model["bias"], join="exact", copy=False)
    x, weight, bias = xr.align(x, weight, bias, join="exact", copy=False)
    y = x.astype(np.float64) * weight + bias
    left = [d for d in y.dims if d not in x.dims]
    return y.transpose(*left, *x.dims).rename("y")


def _dims(t: xr.DataArray, dim: Any) -> list[Hashable]:
    if dim is ...:
        return list(t.dims)
    return [dim] if isinstance(dim, str) or not isinstance(dim, (list, tuple, set)) else list(dim)


def _axis(t: xr.DataArray, dim: Hashable) -> int:
    if dim not in t.dims:
        raise ValueError(f"t has no dimension {dim!r}; its dimensions are {t.dims}")
    return t.dims.index(dim)


def _lazily(arrays: dict[str, Any], axes: list[int] | None, keywords: dict[str, Any]) -> dict[str, Any]:
    import dask.array as da

    import linfit.dask

    lazy = arrays["t"] if hasattr(arrays["t"], "dask") else next(a for a in arrays.values() if hasattr(a, "dask"))
    chunked = {
        name: array if hasattr(array, "dask") else da.from_array(np.asanyarray(array), chunks=lazy.chunks)
        for name, array in arrays.items()
    }
    if axes is None:
        whole = linfit.dask.fit(**chunked, **keywords)
        return {name: getattr(whole, name) for name in NUMBERS}
    return linfit.dask.maps(**chunked, axis=axes, **keywords)._asdict()
