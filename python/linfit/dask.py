"""Fits of Dask arrays: block by block where they are, merged along a tree.

>>> import dask.array as da
>>> import linfit.dask
>>> x = da.arange(1_000_000, chunks=100_000)
>>> fit = linfit.dask.fit(x, 2 * x + 1)
>>> fit.weight, fit.bias
(2.0, 1.0)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, Unpack, cast, overload

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.base import tokenize

from linfit import _linfit
from linfit._arrays import as_pair
from linfit._fit import Fit
from linfit._fits import NUMBERS, Fits, grouping_of
from linfit._groups import Grouping
from linfit._keywords import DaskKeywords, LineKeywords, ValueKeywords, check, names_of, takes
from linfit._moments import Moments
from linfit._predict import Model
from linfit._predict import predict as _predict
from linfit._settings import settings_of

__all__ = ["Maps", "fit", "maps", "moments", "predict"]

#: A Dask array, or a column of a Dask dataframe.
Lazy: TypeAlias = Any

#: Blocks that are merged at a time. Which additions are made depends on it, so it is
#: not left to the configuration.
_SPLIT_EVERY = 16

_FIT = names_of(DaskKeywords)
_VALUES = names_of(ValueKeywords)
_LINE = names_of(LineKeywords)


@overload
def fit(
    x: Lazy, t: Lazy, *, weights: Lazy | None = None, mask: Lazy | None = None, **keywords: Unpack[DaskKeywords]
) -> Fit: ...
@overload
def fit(
    x: Lazy,
    t: Lazy,
    *,
    axis: int | Sequence[int],
    weights: Lazy | None = None,
    mask: Lazy | None = None,
    **keywords: Unpack[DaskKeywords],
) -> Fits: ...
@overload
def fit(
    x: Lazy,
    t: Lazy,
    *,
    groups: Lazy,
    weights: Lazy | None = None,
    mask: Lazy | None = None,
    **keywords: Unpack[DaskKeywords],
) -> Fits: ...
@takes(DaskKeywords)
def fit(
    x: Lazy,
    t: Lazy,
    *,
    axis: int | Sequence[int] | None = None,
    groups: Lazy | None = None,
    weights: Lazy | None = None,
    mask: Lazy | None = None,
    **keywords: Any,
) -> Fit | Fits:
    """Finds W and b of Y = X·W + b, so that Y comes closest to T: one pair, or, with
    axis or groups, one for each group of elements (:func:`maps` gives those of an axis as
    Dask arrays).

    The keywords are those of :func:`linfit.fit`; see :func:`moments` for the arrays.
    Descents (solver="moments") take their steps from the moments, here. The result has the
    same bits for any number of workers, if the chunks are the same.
    """
    check("fit", _FIT, keywords)
    values, line = _parted(keywords)
    if axis is None and groups is None:
        merged = moments(x, t, weights=weights, mask=mask, **cast(Any, values))
        if merged.n == 0:
            raise ValueError("no pair of elements of x and t is valid; check nodata=, mask=, weights= and valid_range=")
        return merged.fit(**cast(Any, line))
    settings, _ = settings_of(line, None, None)
    if groups is None:
        arrays, axes = _along(x, t, weights, mask, axis)
        parts = _moments_along(arrays, axes, values)
        whole = _in_place(parts.compute())
        return Fits(whole._fit(settings, axes), Grouping("along", axes))
    if axis is not None:
        raise ValueError("axis= and groups= are two groupings; give one of them")
    arrays = _alike(x, t, weights=weights, mask=mask, groups=groups)
    parts = _reduced(_parts(arrays, _part_of_labels, values), _merged_labels, tuple(range(arrays["t"].ndim)))
    labels, many = cast(_Labelled, parts.compute().reshape(-1)[0])
    if labels is None or many is None:
        raise ValueError("no pair of elements of x and t is valid; check nodata=, mask=, weights= and valid_range=")
    if labels.dtype.kind in "iu":
        result = many._fit(settings, None, [int(label) for label in labels])
    else:
        result = many._fit(settings, None, None, [str(label) for label in labels])
    return Fits(result, Grouping("groups", labels))


class Maps(NamedTuple):
    """The numbers of many fits as Dask arrays, of the shape of the axes that they do not
    run along."""

    weight: Any
    bias: Any
    n: Any
    loss: Any
    r2: Any
    residual_std: Any
    stderr_weight: Any
    stderr_bias: Any


@takes(DaskKeywords)
def maps(
    x: Lazy,
    t: Lazy,
    *,
    axis: int | Sequence[int],
    weights: Lazy | None = None,
    mask: Lazy | None = None,
    **keywords: Unpack[DaskKeywords],
) -> Maps:
    """What :func:`fit` finds along axes, lazily: for more fits than memory holds."""
    check("maps", _FIT, keywords)
    values, line = _parted(keywords)
    arrays, axes = _along(x, t, weights, mask, axis)
    parts = _moments_along(arrays, axes, values)
    settings, _ = settings_of(line, None, None)
    others = [chunks for k, chunks in enumerate(arrays["t"].chunks) if k not in axes]
    together = parts.map_blocks(
        _solved,
        settings,
        axes,
        dtype=np.float64,
        new_axis=0,
        chunks=((len(NUMBERS),), *others),
        meta=np.empty((0,) * (len(others) + 1), np.float64),
    )
    found = dict(zip(NUMBERS, together))
    return Maps(**{**found, "n": found["n"].astype(np.int64)})


@takes(ValueKeywords)
def moments(
    x: Lazy, t: Lazy, *, weights: Lazy | None = None, mask: Lazy | None = None, **keywords: Unpack[ValueKeywords]
) -> Moments:
    """The moments of X and T, by a task for each block and a tree of merges.

    X, T, weights and mask have one shape; where their chunks differ, they are brought to
    those of T. A block uses one thread, as Dask runs as many of them as a worker has.
    """
    check("moments", _VALUES, keywords)
    arrays = _alike(x, t, weights=weights, mask=mask)
    parts = _parts(arrays, _part, dict(keywords))
    total = _reduced(parts, _merged_moments, tuple(range(arrays["t"].ndim))).compute().reshape(-1)[0]
    assert isinstance(total, Moments)
    return total


def predict(model: Model, x: Lazy, *, groups: Lazy | None = None, dtype: npt.DTypeLike | None = None) -> Any:
    """Y = X·W + b, lazily; see :func:`linfit.predict`. Fits along axes or in tiles are
    applied to X in one block along these."""
    array = _array("x", x)
    kind = np.dtype(np.float64 if dtype is None else dtype)
    meta = np.empty((0,) * array.ndim, kind)
    grouping = getattr(model, "_grouping", None)
    if grouping is None:
        line = (model.weight, model.bias) if isinstance(model, Fit) else model
        return array.map_blocks(_block_of_y, line, kind, dtype=kind, meta=meta)
    weight, bias = cast(Fits, model).weight, cast(Fits, model).bias
    if grouping.kind == "groups":
        labels = _array("groups", groups).rechunk(array.chunks)
        return da.map_blocks(_block_of_labels, array, labels, (weight, bias, grouping), kind, dtype=kind, meta=meta)
    shape = tuple(int(extent) for extent in array.shape)
    lines = [da.from_array(_expanded(grouping, numbers, shape), chunks=-1) for numbers in (weight, bias)]
    y = array * lines[0] + lines[1]
    return y.map_blocks(_block_of_y, (1.0, 0.0), kind, dtype=kind, meta=meta) if kind != y.dtype else y


def _expanded(grouping: Grouping, numbers: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Any:
    return grouping.of_elements(numbers, shape, None)


def _block_of_y(block: Any, line: Any, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    return _predict(line, block, dtype=kind)


def _block_of_labels(block: Any, labels: Any, lines: Any, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    weight, bias, grouping = lines
    return _predict(_Lines(weight, bias, grouping), block, groups=labels, dtype=kind)  # type: ignore[arg-type]


class _Lines(NamedTuple):
    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    grouping: Grouping

    @property
    def _grouping(self) -> Grouping:
        return self.grouping


def _parted(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keywords of values, and those of the line."""
    values = {name: value for name, value in keywords.items() if name in _VALUES}
    return values, {name: value for name, value in keywords.items() if name in _LINE}


def _array(name: str, given: Any) -> Any:
    if hasattr(given, "to_dask_array"):
        given = given.to_dask_array()
    if not isinstance(given, da.Array):
        raise TypeError(f"{name}: expected a Dask array or a column of a Dask dataframe; use linfit.fit for others")
    return given


def _alike(x: Lazy, t: Lazy, **others: Lazy | None) -> dict[str, Any]:
    """The arrays by their names, all with the chunks of T."""
    given = {"x": x, "t": t, **{name: array for name, array in others.items() if array is not None}}
    arrays = {name: _array(name, array) for name, array in given.items()}
    target = arrays["t"]
    for name, array in arrays.items():
        is_known = not np.isnan(np.sum([*array.shape, *target.shape, 0]))
        if array.ndim != target.ndim or (is_known and array.shape != target.shape):
            raise ValueError(f"{name} and t differ in shape: {array.shape} and {target.shape}")
        if not is_known and array.npartitions != target.npartitions:
            raise ValueError(
                f"{name} and t have {array.npartitions} and {target.npartitions} partitions of unknown lengths; "
                "take both from one dataframe, or call compute_chunk_sizes()"
            )
    return {
        name: array if array.chunks == target.chunks or np.isnan(np.sum(array.shape)) else array.rechunk(target.chunks)
        for name, array in arrays.items()
    }


def _along(
    x: Lazy, t: Lazy, weights: Lazy | None, mask: Lazy | None, axis: int | Sequence[int] | None
) -> tuple[dict[str, Any], list[int]]:
    """The arrays, of which X may have just the axes that fits run along, and these."""
    target, given = _array("t", t), _array("x", x)
    rank = target.ndim
    axes = [operator.index(one) for one in (axis if isinstance(axis, (list, tuple)) else [axis])]  # type: ignore[arg-type]
    bad = next((one for one in axes if not -rank <= one < rank), None)
    if bad is not None:
        raise ValueError(f"there is no axis {bad} in data of shape {target.shape}")
    axes = [one % rank for one in axes]
    if len(set(axes)) < len(axes):
        raise ValueError("an axis is named twice")
    if given.ndim == len(axes) < rank:
        own = iter(given.shape)
        given = given.reshape(tuple(next(own) if k in axes else 1 for k in range(rank)))
        given = da.broadcast_to(given, target.shape, chunks=tuple(
            given.chunks[k] if k in axes else target.chunks[k] for k in range(rank)
        ))
    return _alike(given, target, weights=weights, mask=mask), axes


def _moments_along(arrays: dict[str, Any], axes: list[int], values: dict[str, Any]) -> Any:
    """An array with the moments of the fits of a block in each element: one block along
    the axes that fits run along, which are gone."""
    return _reduced(_parts(arrays, _part_along, values | {"axis": axes}), _merged_many, tuple(axes))


def _parts(arrays: dict[str, Any], function: Callable[..., Any], keywords: dict[str, Any]) -> Any:
    """An array with the partial result of a block in each element."""
    names, target = list(arrays), arrays["t"]
    return da.map_blocks(
        _named,
        *arrays.values(),
        function=function,
        names=names,
        keywords=keywords,
        dtype=object,
        chunks=tuple((1,) * len(axis) for axis in target.chunks),
        meta=np.empty((0,) * target.ndim, object),
        name="linfit-moments-" + tokenize(*arrays.values(), function, names, keywords),
    )


def _named(
    *blocks: Any,
    function: Callable[..., Any],
    names: list[str],
    keywords: dict[str, Any],
    block_id: tuple[int, ...] | None = None,
) -> npt.NDArray[np.object_]:
    """The result of a block, in an array of one element; an error names the block."""
    try:
        found = function(dict(zip(names, blocks)), keywords)
    except (ValueError, TypeError) as error:
        raise type(error)(f"block {block_id}: {error}") from error
    return _boxed(found, blocks[0].ndim)


def _boxed(found: Any, rank: int) -> npt.NDArray[np.object_]:
    box = np.empty((1,) * rank, object)
    box.reshape(-1)[:1] = [None]
    box[(0,) * rank] = found
    return box


def _reduced(parts: Any, merge: Callable[[list[Any]], Any], axes: tuple[int, ...]) -> Any:
    """The merged parts along axes, a tree of merges."""
    return da.reduction(
        parts,
        chunk=_itself,
        combine=_Merging(merge),
        aggregate=_Merging(merge),
        axis=axes,
        concatenate=False,
        split_every=_SPLIT_EVERY,
        dtype=object,
        meta=np.empty((0,) * (parts.ndim - len(axes)), object),
        name="linfit-merge",
    )


def _itself(part: Any, axis: Any = None, keepdims: Any = None) -> Any:
    return part


class _Merging:
    """Merges parts that come as lists of lists, or one that comes alone."""

    def __init__(self, merge: Callable[[list[Any]], Any]) -> None:
        self.merge = merge

    def __dask_tokenize__(self) -> Any:
        return ("linfit-merging", self.merge.__qualname__)

    def __call__(self, parts: Any, axis: Any = None, keepdims: Any = None) -> npt.NDArray[np.object_]:
        rank = _depth(parts)
        merged = self.merge(list(_flat(parts)))
        return _boxed(merged, rank if keepdims else rank - len(axis))


def _depth(parts: Any) -> int:
    while isinstance(parts, list):
        parts = parts[0]
    return int(parts.ndim)


def _flat(parts: Any) -> Iterator[Any]:
    if isinstance(parts, (list, tuple)):
        for part in parts:
            yield from _flat(part)
    else:
        yield from parts.reshape(-1)


def _part(arrays: dict[str, Any], keywords: dict[str, Any]) -> Moments:
    """The moments of a block."""
    if arrays["t"].size == 0:
        return _none()
    x, t = arrays.pop("x"), arrays.pop("t")
    return Moments.of(x, t, **arrays, **keywords, engine="cpu", threads=1)


def _none() -> Moments:
    """The moments of no elements."""
    return Moments.of([1.0], [1.0], mask=[0.0])


def _merged_moments(parts: list[Moments]) -> Moments:
    return Moments.merge(parts)


def _part_along(arrays: dict[str, Any], keywords: dict[str, Any]) -> _linfit.ManyMoments:
    """The moments of the fits of a block."""
    axes, shape = keywords["axis"], arrays["t"].shape
    found = None if arrays["t"].size == 0 else _many(arrays, keywords)
    if found is None:
        return _linfit.ManyMoments.none([extent for k, extent in enumerate(shape) if k not in axes])
    return found[0]


def _many(arrays: dict[str, Any], keywords: dict[str, Any]) -> tuple[_linfit.ManyMoments, list[int] | None] | None:
    x, t, valid = as_pair(arrays["x"], arrays["t"], None)
    companions: dict[str, Any] = {name: arrays[name] for name in ("weights", "mask") if name in arrays}
    settings, _ = settings_of({**companions, **keywords, "engine": "cpu", "threads": 1}, None, valid)
    return _linfit.ManyMoments._of(x, t, settings)


def _merged_many(parts: list[_linfit.ManyMoments]) -> _linfit.ManyMoments:
    return _linfit.ManyMoments.merge(parts)


class _Labelled(NamedTuple):
    """Labels in ascending order, and the moments of each; None without any."""

    labels: npt.NDArray[Any] | None
    moments: _linfit.ManyMoments | None


def _part_of_labels(arrays: dict[str, Any], keywords: dict[str, Any]) -> _Labelled:
    if arrays["t"].size == 0:
        return _Labelled(None, None)
    grouping, settings = grouping_of(None, arrays.pop("groups"), None, None, None)
    if grouping.what is not None and len(grouping.what) == 0:
        return _Labelled(None, None)
    found = _many(arrays, keywords | settings)
    if found is None:
        return _Labelled(None, None)
    many, wholes = found
    return _Labelled(np.asarray(grouping.what if wholes is None else wholes), many)


def _merged_labels(parts: list[_Labelled]) -> _Labelled:
    there = [(part.labels, part.moments) for part in parts if part.labels is not None and part.moments is not None]
    if not there:
        return _Labelled(None, None)
    labels = np.unique(np.concatenate([own for own, _ in there]))
    placed = [many.placed(np.searchsorted(labels, own).tolist(), len(labels)) for own, many in there]
    return _Labelled(labels, _linfit.ManyMoments.merge(placed))


def _in_place(parts: npt.NDArray[np.object_]) -> _linfit.ManyMoments:
    """The moments of all blocks of fits as those of one."""
    return _linfit.ManyMoments.joined(list(parts.reshape(-1)), list(parts.shape))


def _solved(parts: npt.NDArray[np.object_], settings: dict[str, Any], axes: list[int]) -> npt.NDArray[np.float64]:
    """The numbers of the fits of a block, along a new first axis."""
    many: _linfit.ManyMoments = parts.reshape(-1)[0]
    result = many._fit({**settings, "threads": 1}, axes)
    numbers = result.numbers()
    return np.stack([np.asarray(numbers[name], np.float64).reshape(many.shape) for name in NUMBERS])
