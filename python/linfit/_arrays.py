"""Whatever holds numbers, as an array that the extension module takes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from linfit import _linfit
from linfit._arrow import TEXTS, column_of, format_of, is_column

#: What is fitted: an array of NumPy, or of anything that NumPy, DLPack or
#: ``__array_interface__`` hands over; a column of Arrow; the name of a file, ``"image.tif:1"``; or what
#: :func:`linfit.open` opened.
Data: TypeAlias = "npt.ArrayLike | str | os.PathLike[str] | _linfit.Array"

#: An array of the extension module's.
Given: TypeAlias = "npt.NDArray[Any] | _linfit.Array"

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def open(
    source: str | os.PathLike[str],
    *,
    key: str | None = None,
    raw_dtype: str | None = None,
    raw_shape: Sequence[int] | None = None,
    raw_offset: int = 0,
    header: bool | None = None,
    comment: str | None = None,
    alpha: bool = True,
    memory: int | str | None = None,
) -> _linfit.Array:
    """Opens an array of a file.

    ``source`` is ``"FILE"`` or ``"FILE:KEY"``: a column, the name of an array or the
    number of a band. The elements stay in the file where its format allows. ``key``
    gives the key by itself, and ``source`` is then a file name as it stands. ``memory``
    bounds what is decoded to memory; beyond it there is a temporary file.
    """
    shape = None if raw_shape is None else [int(extent) for extent in raw_shape]
    return _linfit.open(
        os.fspath(source),
        key=key,
        raw_dtype=raw_dtype,
        raw_shape=shape,
        raw_offset=raw_offset,
        header=header,
        comment=comment,
        alpha=alpha,
        memory=bytes_of(memory),
    )


def bytes_of(size: int | str | None) -> int | None:
    """A size in bytes, of a number or a text such as ``"512MiB"``."""
    if size is None:
        return None
    if isinstance(size, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([kmgt]?i?)b?\s*", size, re.IGNORECASE)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(f"memory={size!r}: expected a number of bytes, or a text such as '512MiB'")
        return int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 0:
        raise ValueError(f"memory={size!r}: expected a number of bytes of 0 or more")
    return int(size)


def is_file(data: object) -> bool:
    """Whether data are the name of a file."""
    return isinstance(data, (str, os.PathLike))


def as_given(name: str, data: Any, memory: int | None = None) -> tuple[Given, npt.NDArray[np.bool_] | None]:
    """An array as the extension module takes it, without a copy where its layout
    allows; and where it is valid, if some of it is masked or null."""
    if isinstance(data, _linfit.Array):
        return data, None
    if isinstance(data, (str, os.PathLike)):
        return _linfit.open(os.fspath(data), memory=memory), None
    if isinstance(data, np.ma.MaskedArray):
        hidden = np.ma.getmask(data)
        valid = None if hidden is np.ma.nomask else ~np.asarray(hidden, np.bool_)
        return _numbers(name, data.data), valid
    if not isinstance(data, np.ndarray):
        for convert in (_of_arrow, _of_pandas, _of_dlpack):
            converted = convert(name, data)
            if converted is not None:
                values, valid = converted
                return _numbers(name, values), valid
    return _numbers(name, data), None


def as_pair(x: Any, t: Any, memory: int | None) -> tuple[Given, Given, npt.NDArray[np.bool_] | None]:
    """X and T, and where both are valid."""
    if is_file(x) and is_file(t):
        return *_linfit.open_pair(os.fspath(x), os.fspath(t), memory=memory), None
    x, x_valid = as_given("x", x, memory)
    t, t_valid = as_given("t", t, memory)
    return x, t, both(x_valid, t_valid)


def both(
    one: npt.NDArray[np.bool_] | None, other: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    """Where both are true; None stands for everywhere."""
    if one is None or other is None:
        return other if one is None else one
    if one.shape != other.shape:
        return one  # X and T differ in shape, which the fit refuses.
    return one & other


def as_mask(mask: Any, valid: npt.NDArray[np.bool_] | None, memory: int | None) -> Given | None:
    """The user's mask, and what else is invalid."""
    if mask is None:
        return valid
    given, mask_valid = as_given("mask", mask, memory)
    if valid is None and mask_valid is None:
        return given
    values = to_numpy(given)
    wanted = (values != 0) & ~np.isnan(values) if values.dtype.kind == "f" else values != 0
    merged = both(both(wanted, mask_valid), valid)
    assert merged is not None
    return merged


def to_numpy(given: Given) -> npt.NDArray[Any]:
    """An array in memory; bfloat16 becomes float32."""
    if isinstance(given, np.ndarray):
        return given
    data = given.to_bytes()
    if given.dtype == "bfloat16":
        wide = np.frombuffer(data, np.uint16).astype(np.uint32) << 16
        return wide.view(np.float32).reshape(given.shape)
    return np.frombuffer(data, np.dtype(given.dtype)).reshape(given.shape)


def _numbers(name: str, data: Any) -> npt.NDArray[Any]:
    array = np.asarray(data)
    if array.dtype.hasobject or array.dtype.kind in "USmMcO":
        raise TypeError(
            f"{name}: elements of type {array.dtype} are not numbers that can be fitted; "
            "convert them to float64, for example"
        )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.dtype.kind == "V" and array.dtype.itemsize != 2:
        raise TypeError(f"{name}: elements of type {array.dtype} are no numbers; give one of its fields")
    size = array.dtype.itemsize
    if any(stride % size for stride, extent in zip(array.strides, array.shape) if extent > 1):
        array = array.copy()  # A field of records, for example.
    return array


def _of_dlpack(_name: str, data: Any) -> tuple[npt.NDArray[Any], None] | None:
    """A tensor on the CPU; one of bfloat16, which NumPy has not, by its bits."""
    if not hasattr(data, "__dlpack__"):
        return None
    if type(data).__module__.partition(".")[0] == "torch":
        data = data.detach()
        if str(data.dtype) == "torch.bfloat16":
            bits = np.from_dlpack(data.view(__import__("torch").uint16))
            return (bits.astype(np.uint32) << 16).view(np.float32), None
    try:
        return np.from_dlpack(data), None
    except (BufferError, RuntimeError, TypeError):
        return None


def _of_pandas(_name: str, data: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]] | None:
    """A column of a nullable type of pandas."""
    if type(data).__module__.partition(".")[0] != "pandas" or not hasattr(data, "array"):
        return None
    extension = data.array
    if not hasattr(extension, "isna") or not hasattr(extension.dtype, "na_value"):
        return None
    valid = ~np.asarray(extension.isna())
    if isinstance(data.dtype, np.dtype) or valid.all():
        return None
    return np.asarray(extension.to_numpy(dtype="float64", na_value=0.0)), valid


def _of_arrow(name: str, data: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None] | None:
    """A column of Arrow's, of which nulls are missing."""
    # Those of pandas are NumPy's, or have a mask of their own.
    if not is_column(data) or type(data).__module__.partition(".")[0] == "pandas":
        return None
    return column_of(name, data)


def arrow_text(data: Any) -> npt.NDArray[Any] | None:
    """A column of text of Arrow's, as Python's own, of which nulls are None."""
    if isinstance(data, np.ndarray) or not is_column(data) or hasattr(data, "__array_interface__"):
        return None
    if type(data).__module__.partition(".")[0] == "pandas" or format_of(data) not in TEXTS:
        return None
    listed = next((getattr(data, name) for name in ("to_list", "to_pylist") if hasattr(data, name)), None)
    texts = list(data) if listed is None else listed()
    return np.array(texts, object)
