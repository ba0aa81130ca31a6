"""Numbers of a converted file that its type cannot represent: they became infinite, and the file would produce
nonsense."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from zoo.errors import ModelFileError
from zoo.gguf.layout import Bytes, RawTensor, opened, read_raw

_INFINITE = {"F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F800000)}
"""Type -> the integer type of its bits, and the exponent with all bits set: infinity, or NaN."""
_PART = 1 << 24
"""How many numbers are checked at a time."""


def refuse(path: Path) -> None:
    """Raise ModelFileError for the first tensor with a number that is infinite or NaN."""
    with opened(path) as source:
        raw = read_raw(source)
        for tensor in raw.tensors:
            if tensor.type_name in _INFINITE and _is_infinite(source, tensor, raw.data_start):
                raise ModelFileError(
                    f"The weight {tensor.name} has values too large for {tensor.type_name}, which became infinite",
                    safe="Nothing was quantized.",
                    remedy="Write `export: {type: bf16}` into the recipe: bf16 has a larger range",
                )


def _is_infinite(source: Bytes, tensor: RawTensor, data_start: int) -> bool:
    kind, exponent = _INFINITE[tensor.type_name]
    numbers = np.frombuffer(source.data, kind, math.prod(tensor.shape), data_start + tensor.offset)
    parts = range(0, len(numbers), _PART)
    return any(bool(np.any(numbers[at : at + _PART] & exponent == exponent)) for at in parts)
