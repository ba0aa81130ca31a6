"""Rows of weights into ggml's block formats and back, through the functions that llama.cpp itself uses.

The calls do not hold Python's lock and start no ggml threads, so several can run in parallel on plain Python threads.
"""

from __future__ import annotations

import ctypes
import functools

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError, ZooError
from zoo.gguf.layout import BLOCKS, NUMBERS, PLAIN
from zoo.llama import library

"""ggml type name -> ggml type number."""
QUANTIZED = (
    "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "Q3_K", "Q2_K", "Q2_0", "Q1_0",
    "IQ4_NL", "IQ4_XS", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S",
    "TQ2_0", "TQ1_0", "MXFP4", "NVFP4",
)  # fmt: skip
"""Types that llama.cpp can quantize weights to."""

Floats = NDArray[np.float32]


def row_bytes(type_name: str, row_length: int) -> int:
    """Bytes of one row. Raises InputError for an unknown type or a length that its blocks do not divide."""
    if type_name not in BLOCKS:
        raise InputError(f"{type_name!r} is not a tensor type of ggml", remedy=f"Known: {', '.join(BLOCKS)}")
    weights, size = BLOCKS[type_name]
    if row_length < 1 or row_length % weights:
        raise InputError(
            f"rows of {row_length} weights are not a multiple of {weights}, the block of {type_name}"
        )
    return row_length // weights * size


def needs_importance(type_name: str) -> bool:
    """Whether ggml refuses to quantize to this type without importance values."""
    return bool(_ggml().ggml_quantize_requires_imatrix(NUMBERS[type_name]))


def quantize_rows(rows: Floats, type_name: str, importance: Floats | None = None) -> bytes:
    """The bytes that llama.cpp stores for ``rows`` (float32, shape (n_rows, row_length)) as ``type_name``.

    importance: float32, shape (row_length,), the weight of each column's error; None weighs all equally.
    Any split of a tensor into groups of complete rows gives the same bytes.
    Raises InputError for a type that cannot be made, a row length that does not divide, importance of another
    length, values that are NaN or infinite, or a type that requires importance values and has none.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if rows.ndim != 2 or not len(rows):
        raise InputError(f"rows have two dimensions, not the shape {rows.shape}")
    if type_name not in (*QUANTIZED, *PLAIN):
        raise InputError(
            f"weights cannot be quantized to {type_name!r}", remedy=f"Use {', '.join(QUANTIZED)}"
        )
    count, length = rows.shape
    size = count * row_bytes(type_name, length)
    if not np.isfinite(rows).all():
        raise InputError("the weights contain NaN or infinity")
    if importance is not None:
        importance = _checked(importance, length)
    elif needs_importance(type_name):
        raise InputError(
            f"{type_name} needs an importance matrix", remedy="Add calibration text to the recipe"
        )
    if type_name == "F32":
        return rows.tobytes()
    made = ctypes.create_string_buffer(size)
    written = _ggml().ggml_quantize_chunk(
        NUMBERS[type_name],
        rows.ctypes.data,
        ctypes.addressof(made),
        0,
        count,
        length,
        importance.ctypes.data if importance is not None else None,
    )
    if written != size or not _ggml().ggml_validate_row_data(NUMBERS[type_name], made, size):
        raise ZooError(f"ggml could not quantize {count} rows of {length} weights to {type_name}")
    return made.raw


def _checked(importance: Floats, length: int) -> Floats:
    importance = np.ascontiguousarray(importance, dtype=np.float32)
    if importance.shape != (length,):
        raise InputError(f"importance has the shape {importance.shape}, rows have {length} weights")
    if not np.isfinite(importance).all() or (importance < 0).any():
        raise InputError("importance values are negative, NaN or infinite")
    return importance


def dequantize_rows(data: bytes, type_name: str, row_length: int) -> Floats:
    """Stored rows as float32, shape (n_rows, row_length).

    Raises InputError for an unknown type, or bytes that are not a whole number of rows.
    """
    size = row_bytes(type_name, row_length)
    if not data or len(data) % size:
        raise InputError(f"{len(data)} bytes are not a whole number of {type_name} rows of {row_length} weights")
    if type_name == "F32":
        return np.frombuffer(data, dtype="<f4").reshape(-1, row_length).astype(np.float32)
    if type_name == "F16":
        return np.frombuffer(data, dtype="<f2").reshape(-1, row_length).astype(np.float32)
    if type_name == "BF16":
        words = np.frombuffer(data, dtype="<u2").astype(np.uint32) << 16
        return words.view(np.float32).reshape(-1, row_length)
    traits = _ggml().ggml_get_type_traits(NUMBERS[type_name]).contents
    if not traits.to_float:
        raise InputError(f"ggml cannot convert {type_name} back to numbers")
    rows = np.empty((len(data) // size, row_length), dtype=np.float32)
    _TO_FLOAT(traits.to_float)(data, rows.ctypes.data, rows.size)
    return rows


class _Traits(ctypes.Structure):
    """The head of ``struct ggml_type_traits`` of ggml.h."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("block_weights", ctypes.c_int64),
        ("block_weights_interleaved", ctypes.c_int64),
        ("block_bytes", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
    )


_TO_FLOAT = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64)


@functools.cache
def _ggml() -> ctypes.CDLL:
    """ggml's C functions that quantize, from the library that llama.cpp has loaded."""
    lib = library.ggml()
    pointer, number, wide, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [number, pointer, pointer, wide, wide, wide, pointer]
    lib.ggml_quantize_chunk.restype = size
    lib.ggml_quantize_requires_imatrix.argtypes = [number]
    lib.ggml_quantize_requires_imatrix.restype = ctypes.c_bool
    lib.ggml_validate_row_data.argtypes = [number, pointer, size]
    lib.ggml_validate_row_data.restype = ctypes.c_bool
    lib.ggml_get_type_traits.argtypes = [number]
    lib.ggml_get_type_traits.restype = ctypes.POINTER(_Traits)
    for type_name in QUANTIZED:
        _check(lib, type_name)
    return lib


def _check(lib: ctypes.CDLL, type_name: str) -> None:
    """Refuse to quantize unless the table of types matches the library."""
    traits = lib.ggml_get_type_traits(NUMBERS[type_name]).contents
    if (traits.block_weights, traits.block_bytes) != BLOCKS[type_name]:
        raise ZooError(
            f"the installed llama.cpp stores {type_name} in a way that this program does not support",
            remedy="Install the version of llama-cpp-python that constraints.txt names",
        )
