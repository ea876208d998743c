"""Fits of Dask arrays: block by block where they are, merged along a tree.

>>> import dask.array as da
>>> import linfit.dask
>>> x = da.arange(1_000_000, chunks=100_000)
>>> fit = linfit.dask.fit(x, 2 * x + 1)
>>> fit.weight, fit.bias
(2.0, 1.0)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.base import tokenize

from linfit._fit import Fit
from linfit._fit import predict as _predict
from linfit._moments import Moments

if TYPE_CHECKING:
    import os

__all__ = ["fit", "moments", "predict"]

#: A Dask array, or a column of a Dask dataframe.
Lazy: TypeAlias = Any

#: Blocks that are merged at a time. Which additions are made depends on it, so it is
#: not left to the configuration.
_SPLIT_EVERY = 16


def fit(
    x: Lazy,
    t: Lazy,
    *,
    weights: Lazy | None = None,
    mask: Lazy | None = None,
    nodata: float | None = None,
    x_nodata: float | None = None,
    t_nodata: float | None = None,
    valid_range: tuple[float, float] | None = None,
    solver: Literal["exact", "moments"] = "exact",
    line: str = "least-squares",
    lr: float | Literal["auto"] | None = None,
    steps: int | None = None,
    tol: float | None = None,
    rtol: float | None = None,
    w0: float | None = None,
    b0: float | None = None,
    standardize: bool | None = None,
    force: bool | None = None,
) -> Fit:
    """Finds W and b of Y = X·W + b, so that Y comes closest to T.

    The keywords are those of :func:`linfit.fit`; see :func:`moments` for the arrays.
    Descents take their steps from the moments, here. The result has the same bits for
    any number of workers, if the chunks are the same.
    """
    merged = moments(
        x,
        t,
        weights=weights,
        mask=mask,
        nodata=nodata,
        x_nodata=x_nodata,
        t_nodata=t_nodata,
        valid_range=valid_range,
    )
    if merged.n == 0:
        raise ValueError("no pair of elements of x and t is valid; check nodata=, mask=, weights= and valid_range=")
    return merged.fit(
        solver=solver,
        line=line,
        lr=lr,
        steps=steps,
        tol=tol,
        rtol=rtol,
        w0=w0,
        b0=b0,
        standardize=standardize,
        force=force,
    )


def moments(
    x: Lazy,
    t: Lazy,
    *,
    weights: Lazy | None = None,
    mask: Lazy | None = None,
    nodata: float | None = None,
    x_nodata: float | None = None,
    t_nodata: float | None = None,
    valid_range: tuple[float, float] | None = None,
) -> Moments:
    """The moments of X and T, by a task for each block and a tree of merges.

    X, T, weights and mask have one shape; where their chunks differ, they are brought to
    those of T. A block uses one thread, as Dask runs as many of them as a worker has.
    """
    arrays = [_array("x", x), _array("t", t)]
    names = ["x", "t"]
    for name, given in (("weights", weights), ("mask", mask)):
        if given is not None:
            arrays.append(_array(name, given))
            names.append(name)
    target = arrays[1]
    for name, array in zip(names, arrays):
        is_known = not np.isnan(np.sum([*array.shape, *target.shape, 0]))
        if array.ndim != target.ndim or (is_known and array.shape != target.shape):
            raise ValueError(f"{name} and t differ in shape: {array.shape} and {target.shape}")
    arrays = [array if array.chunks == target.chunks else array.rechunk(target.chunks) for array in arrays]
    keywords = {
        "nodata": nodata,
        "x_nodata": x_nodata,
        "t_nodata": t_nodata,
        "valid_range": valid_range,
    }
    parts = da.map_blocks(
        _part,
        *arrays,
        names=names,
        keywords=keywords,
        dtype=object,
        chunks=tuple((1,) * len(axis) for axis in target.chunks),
        meta=np.empty((0,) * target.ndim, object),
        name="linfit-moments-" + tokenize(*arrays, names, keywords),
    )
    merged = da.reduction(
        parts,
        chunk=_itself,
        combine=_merged,
        aggregate=_merged,
        concatenate=False,
        split_every=_SPLIT_EVERY,
        dtype=object,
        meta=np.empty((), object),
        name="linfit-merge",
    )
    result = merged.compute()
    assert isinstance(result, np.ndarray)
    total = result.reshape(-1)[0]
    assert isinstance(total, Moments)
    return total


def predict(
    model: Fit | tuple[float, float] | str | os.PathLike[str], x: Lazy, *, dtype: npt.DTypeLike | None = None
) -> Any:
    """Y = X·W + b, lazily; see :func:`linfit.predict`."""
    array = _array("x", x)
    line = (model.weight, model.bias) if isinstance(model, Fit) else model
    kind = np.dtype(np.float64 if dtype is None else dtype)
    return array.map_blocks(_block_of_y, line, kind, dtype=kind, meta=np.empty((0,) * array.ndim, kind))


def _block_of_y(block: Any, line: Any, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    return _predict(line, block, dtype=kind)


def _array(name: str, given: Any) -> Any:
    if hasattr(given, "to_dask_array"):
        given = given.to_dask_array()
    if not isinstance(given, da.Array):
        raise TypeError(f"{name}: expected a Dask array or a column of a Dask dataframe; use linfit.fit for others")
    return given


def _part(
    *blocks: Any, names: list[str], keywords: dict[str, Any], block_id: tuple[int, ...] | None = None
) -> npt.NDArray[np.object_]:
    """The moments of a block, in an array of one element."""
    arrays = dict(zip(names, blocks))
    try:
        if blocks[0].size == 0:
            found = _none()
        else:
            found = Moments.of(arrays.pop("x"), arrays.pop("t"), **arrays, **keywords, engine="cpu", threads=1)
    except (ValueError, TypeError) as error:
        raise type(error)(f"block {block_id}: {error}") from error
    part = np.empty((1,) * blocks[0].ndim, object)
    part.reshape(-1)[0] = found
    return part


def _none() -> Moments:
    """The moments of no elements."""
    return Moments.of([1.0], [1.0], mask=[0.0])


def _itself(part: Any, axis: Any = None, keepdims: Any = None) -> Any:
    return part


def _merged(parts: Any, axis: Any = None, keepdims: Any = None) -> npt.NDArray[np.object_]:
    """The moments of parts that come as lists of lists, or of one that comes alone."""
    merged = np.empty((1,) * _depth(parts) if keepdims else (), object)
    merged.reshape(-1)[0] = Moments.merge(_flat(parts))
    return merged


def _depth(parts: Any) -> int:
    while isinstance(parts, list):
        parts = parts[0]
    return int(parts.ndim)


def _flat(parts: Any) -> Iterator[Moments]:
    if isinstance(parts, (list, tuple)):
        for part in parts:
            yield from _flat(part)
    else:
        yield from parts.reshape(-1)
