"""Columns of Arrow, by its C interface: without pyarrow, and without a copy where a column
is of one chunk and has numbers of whole bytes."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt


class _Schema(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]


class _Array(ctypes.Structure):
    pass


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    pass


_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]

#: The types of numbers, by the letters of Arrow's C interface.
_NUMBERS = {
    b"c": "i1",
    b"C": "u1",
    b"s": "i2",
    b"S": "u2",
    b"i": "i4",
    b"I": "u4",
    b"l": "i8",
    b"L": "u8",
    b"e": "f2",
    b"f": "f4",
    b"g": "f8",
}

#: The types of text.
TEXTS = (b"u", b"U", b"vu")

Column = tuple[npt.NDArray[Any], "npt.NDArray[np.bool_] | None"]


def is_column(data: object) -> bool:
    """Whether data are a column of Arrow, or of what hands it over as such."""
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def format_of(data: Any) -> bytes:
    """The type of a column, as Arrow's C interface names it."""
    if hasattr(data, "__arrow_c_schema__"):
        capsule = data.__arrow_c_schema__()
        return bytes(_at(_Schema, capsule, b"arrow_schema").format)
    if hasattr(data, "__arrow_c_array__"):
        capsule, _ = data.__arrow_c_array__()
        return bytes(_at(_Schema, capsule, b"arrow_schema").format)
    stream = data.__arrow_c_stream__()
    schema = _schema_of(_at(_Stream, stream, b"arrow_array_stream"))
    try:
        return bytes(schema.format)
    finally:
        schema.release(ctypes.byref(schema))


def column_of(name: str, data: Any) -> Column:
    """The numbers of a column, and where they are not null, unless they are everywhere.

    Raises TypeError for a column of anything else.
    """
    if hasattr(data, "__arrow_c_array__"):
        described, held = data.__arrow_c_array__()
        schema = _at(_Schema, described, b"arrow_schema")
        _refuse_others(name, schema)
        # The capsule releases the array once nobody has it.
        return _numbers(_at(_Array, held, b"arrow_array"), bytes(schema.format), held)
    capsule = data.__arrow_c_stream__()
    stream = _at(_Stream, capsule, b"arrow_array_stream")
    schema = _schema_of(stream)
    try:
        _refuse_others(name, schema)
        form = bytes(schema.format)
    finally:
        schema.release(ctypes.byref(schema))
    chunks: list[Column] = []
    while True:
        chunk = _Array()
        _check(stream, stream.get_next(ctypes.byref(stream), ctypes.byref(chunk)))
        if not chunk.release:
            break
        holder = _Holder()
        weakref.finalize(holder, _release, chunk)
        chunks.append(_numbers(chunk, form, holder))
    if len(chunks) == 1:
        return chunks[0]
    if not chunks:
        return np.empty(0, np.bool_ if form == b"b" else _NUMBERS[form]), None
    valid = None
    if any(where is not None for _, where in chunks):
        valid = np.concatenate(
            [np.ones(len(values), np.bool_) if where is None else where for values, where in chunks]
        )
    return np.concatenate([values for values, _ in chunks]), valid


class _Holder:
    """What a view of a chunk keeps alive."""


def _release(chunk: _Array) -> None:
    if chunk.release:
        chunk.release(ctypes.byref(chunk))


def _at(kind: Any, capsule: object, name: bytes) -> Any:
    """What a capsule points to, which lives as long as the capsule."""
    found = kind.from_address(_pointer_of(capsule, name))
    found.capsule = capsule
    return found


def _schema_of(stream: Any) -> Any:
    schema = _Schema()
    _check(stream, stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)))
    return schema


def _check(stream: Any, code: int) -> None:
    if code:
        why = stream.get_last_error(ctypes.byref(stream))
        raise ValueError(f"a column of Arrow cannot be read: {why.decode() if why else code}")


def _refuse_others(name: str, schema: Any) -> None:
    form = bytes(schema.format)
    if schema.dictionary or (form not in _NUMBERS and form != b"b"):
        what = "a dictionary" if schema.dictionary else f"Arrow's type {form.decode()!r}"
        raise TypeError(
            f"{name}: elements of {what} are not numbers that can be fitted; cast them to float64, for example"
        )


def _numbers(chunk: Any, form: bytes, owner: object) -> Column:
    length, offset = int(chunk.length), int(chunk.offset)
    if length == 0:
        return np.empty(0, np.bool_ if form == b"b" else _NUMBERS[form]), None
    valid = None
    if chunk.null_count != 0 and chunk.buffers[0]:
        valid = _bits(chunk.buffers[0], offset, length)
        if valid.all():
            valid = None
    if form == b"b":
        return _bits(chunk.buffers[1], offset, length), valid
    kind = np.dtype(_NUMBERS[form])
    memory: Any = (ctypes.c_uint8 * (length * kind.itemsize)).from_address(
        chunk.buffers[1] + offset * kind.itemsize
    )
    memory.owner = owner
    values: npt.NDArray[Any] = np.frombuffer(memory, kind)
    values.flags.writeable = False
    return values, valid


def _bits(address: int, offset: int, length: int) -> npt.NDArray[np.bool_]:
    """Bits, of which the lowest of a byte is the first."""
    first, last = offset // 8, (offset + length + 7) // 8
    memory: Any = (ctypes.c_uint8 * (last - first)).from_address(address + first)
    packed: npt.NDArray[np.uint8] = np.frombuffer(memory, np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    return bits[offset % 8 :][:length].astype(np.bool_)
