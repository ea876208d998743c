"""Fits of arrays with names and coordinates."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from linfit._fit import Fit
from linfit._fit import fit as _fit

__all__ = ["fit"]


def fit(x: xr.DataArray, t: xr.DataArray, **keywords: Any) -> xr.Dataset:
    """Finds W and b of Y = X·W + b over all elements of two arrays.

    X is brought to the dimensions of T, as arithmetic of xarray would do: a dimension
    that it has not is repeated; coordinates that differ are an error. The keywords are
    those of :func:`linfit.fit`; weights and mask may have names as well. Arrays of Dask
    are fitted by :func:`linfit.dask.fit`.

    The result is a dataset of weight, bias, n, loss, r2, residual_std, stderr_weight
    and stderr_bias, with the scalar coordinates of T.
    """
    x, t = xr.align(x, t, join="exact", copy=False)
    (x,) = (x.broadcast_like(t).transpose(*t.dims),)
    for name in ("weights", "mask"):
        given = keywords.get(name)
        if isinstance(given, xr.DataArray):
            keywords[name] = given.broadcast_like(t).transpose(*t.dims).data
    lazy = any(hasattr(array.data, "dask") for array in (x, t))
    found = _lazy(x, t, keywords) if lazy else _fit(x.data, t.data, **keywords)
    names = ("weight", "bias", "n", "loss", "r2", "residual_std", "stderr_weight", "stderr_bias")
    kept: dict[Hashable, Any] = {name: c for name, c in t.coords.items() if c.ndim == 0}
    return xr.Dataset({name: np.asarray(getattr(found, name)) for name in names}, coords=kept)


def _lazy(x: xr.DataArray, t: xr.DataArray, keywords: dict[str, Any]) -> Fit:
    import linfit.dask

    chunks = (t if hasattr(t.data, "dask") else x).chunks
    for name in ("weights", "mask"):
        given = keywords.get(name)
        if given is not None and not hasattr(given, "dask"):
            import dask.array as da

            keywords[name] = da.from_array(given, chunks=chunks)
    return linfit.dask.fit(x.chunk(dict(zip(x.dims, chunks or ()))).data, t.chunk(dict(zip(t.dims, chunks or ()))).data, **keywords)
