"""Reading ggml's graph while llama.cpp computes: the tensors that its evaluation callback passes."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ZooError
from zoo.llama import library


class GraphTensor(ctypes.Structure):
    """``struct ggml_tensor`` of ggml.h: ne in weights, nb in bytes, sources as addresses."""

    if TYPE_CHECKING:
        type: int
        ne: Sequence[int]
        nb: Sequence[int]
        op: int
        src: Sequence[int]
        data: int | None
        name: bytes


GraphTensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.c_void_p * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
    ("extra", ctypes.c_void_p),
]

F32, I32 = 0, 26
"""ggml's numbers of the types (ggml.h)."""

Number = TypeVar("Number", bound=np.generic)


def at(address: int) -> GraphTensor:
    """The tensor at an address; valid while its graph is."""
    return GraphTensor.from_address(address)


def name_of(tensor: GraphTensor) -> str:
    """The weight's name, without the marks that a scheduler adds (``CPU#blk.0.attn_k.weight#0``)."""
    name = tensor.name.decode("utf-8", errors="replace")
    return name.split("#")[1] if "#" in name else name


def values(tensor: GraphTensor) -> NDArray[np.float32]:
    """A view of an F32 tensor in host memory, shape (ne3, ne2, ne1, ne0), whatever its strides."""
    return _view(tensor, F32, np.float32)


def numbers(tensor: GraphTensor) -> NDArray[np.int32]:
    """The same of an I32 tensor."""
    return _view(tensor, I32, np.int32)


def _view(tensor: GraphTensor, wanted: int, kind: type[Number]) -> NDArray[Number]:
    if tensor.type != wanted or not tensor.data:
        raise ZooError("llama.cpp computes on something that is not F32 in this machine's memory")
    span = sum((n - 1) * step for n, step in zip(tensor.ne, tensor.nb, strict=True)) + tensor.nb[0]
    memory = (ctypes.c_char * span).from_address(tensor.data)
    return np.ndarray(
        tuple(tensor.ne)[::-1], dtype=kind, buffer=memoryview(memory), strides=tuple(tensor.nb)[::-1]
    )


@functools.cache
def operation(name: str) -> int:
    """ggml's number of an operation such as "MUL_MAT".

    Raises ZooError if the installed ggml does not have it, or has another tensor layout.
    """
    lib = library.ggml()
    lib.ggml_op_name.argtypes = [ctypes.c_int]
    lib.ggml_op_name.restype = ctypes.c_char_p
    lib.ggml_tensor_overhead.restype = ctypes.c_size_t
    object_bytes, padding = 32, 8
    if lib.ggml_tensor_overhead() == object_bytes + ctypes.sizeof(GraphTensor) + padding:
        for number in range(200):
            found = lib.ggml_op_name(number)
            if found == name.encode():
                return number
            if not found:
                break
    raise ZooError(
        "the installed llama.cpp builds its graph in a way that this program does not support",
        remedy="Install the version of llama-cpp-python that constraints.txt names",
    )
