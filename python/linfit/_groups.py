"""The labels of elements, and the line of each element by its group."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linfit import _linfit
from linfit._arrays import Given, arrow_text, as_given


def as_labels(groups: Any, memory: int | None) -> tuple[Given | str, npt.NDArray[Any] | None]:
    """Labels as the extension module takes them: whole numbers, or, with the labels that
    they number, the numbers of others, of which -1 is none."""
    if isinstance(groups, _linfit.Array):
        return groups, None
    if isinstance(groups, (str, os.PathLike)):
        return os.fspath(groups), None
    texts = arrow_text(groups)
    array = groups if isinstance(groups, np.ndarray) else np.asarray(groups) if texts is None else texts
    if isinstance(groups, np.ma.MaskedArray):
        return _numbered(np.asarray(array.data), ~np.ma.getmaskarray(groups))
    if array.dtype.kind in "iub":
        return as_given("groups", groups if texts is None else array, memory)[0], None
    if array.dtype.kind == "f":
        return _numbered(array, ~np.isnan(array))
    is_there = np.frompyfunc(lambda label: label is not None and label == label, 1, 1)
    return _numbered(array, is_there(array).astype(np.bool_))


def _numbered(
    labels: npt.NDArray[Any], valid: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """The number of each label among the distinct ones in ascending order, and these."""
    given = labels[valid]
    if given.dtype.kind == "f":
        if not (given == np.rint(given)).all():
            raise ValueError("groups: labels are whole numbers or text, not fractions")
        given = given.astype(np.int64)
    elif given.dtype.kind == "O":
        given = given.astype(np.str_) if all(isinstance(label, str) for label in given) else given
    try:
        names, numbers = np.unique(given, return_inverse=True)
    except TypeError as error:
        raise TypeError(f"groups: labels of several types have no order ({error})") from None
    all_numbers = np.full(labels.shape, -1, np.int64)
    all_numbers[valid] = numbers.reshape(-1)
    return all_numbers, names


@dataclass(frozen=True)
class Grouping:
    """What the groups of elements are, so that other data can be grouped alike."""

    #: "along" (these axes), "numbering" (all but these axes), "tile", "window" or "groups".
    kind: str
    what: Any = None

    def of_elements(
        self, fits: npt.NDArray[np.float64], shape: tuple[int, ...], groups: Any
    ) -> npt.NDArray[np.float64]:
        """A number of each fit for each element of data of a shape, or as NumPy repeats
        it to that shape."""
        if (groups is not None) != (self.kind == "groups"):
            raise ValueError(
                "these are fits of labels; give those of X with groups="
                if groups is None
                else "groups= is of fits of labels, and these are none; remove it"
            )
        if self.kind == "groups":
            return self._of_labels(fits, shape, groups)
        rank = len(shape)
        if self.kind == "tile":
            found = fits
            for axis, extent in zip((-2, -1), self.what):
                found = np.repeat(found, extent, axis=axis)
            found = found[..., : shape[-2], : shape[-1]] if rank >= 2 else found
        elif self.kind == "window":
            found = fits
        else:
            along = self._along(rank if fits.ndim < rank else fits.ndim + rank)
            found = np.expand_dims(fits, along)
            if found.ndim > rank:
                return found  # X has just these axes: it is the same for each fit.
            if found.shape != tuple(1 if k in along else extent for k, extent in enumerate(shape)):
                raise ValueError(self._misfit(fits, shape))
            return found
        if found.shape != shape:
            raise ValueError(self._misfit(fits, shape))
        return found

    def _along(self, rank: int) -> list[int]:
        """The axes that fits run along, of so many."""
        if self.kind == "along":
            return [axis % rank for axis in self.what]
        return [axis for axis in range(rank) if axis not in self.what]

    def aligned(self, shape: tuple[int, ...], fits: int) -> tuple[int, ...]:
        """The shape in which X meets the fits, which have so many axes: X may have just
        those that they run along."""
        if self.kind != "along" or len(shape) != len(self.what) or fits == 0:
            return shape
        extents, along = iter(shape), self._along(fits + len(shape))
        return tuple(next(extents) if axis in along else 1 for axis in range(fits + len(shape)))

    def _of_labels(
        self, fits: npt.NDArray[np.float64], shape: tuple[int, ...], groups: Any
    ) -> npt.NDArray[np.float64]:
        given, names = as_labels(groups, None)
        if isinstance(given, str):
            given = _linfit.open(given)
        numbers = np.asarray(given)
        if numbers.shape != shape:
            raise ValueError(f"groups: labels of shape {numbers.shape}, where X has {shape}")
        known = np.asarray(self.what)
        if names is None:
            names, numbers = np.unique(numbers, return_inverse=True)
            numbers = numbers.reshape(shape)
        places = np.searchsorted(known, names)
        places[places == len(known)] = 0
        is_known = known[places] == names
        of_names = np.append(np.where(is_known, fits[places], np.nan), np.nan)
        return np.asarray(of_names[numbers])  # -1 is the last: none.

    def _misfit(self, fits: npt.NDArray[np.float64], shape: tuple[int, ...]) -> str:
        return (
            f"fits in shape {fits.shape} are not those of an X of shape {shape}; "
            "give an X that is grouped as the one that was fitted"
        )
