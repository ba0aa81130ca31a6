"""How a GGUF file stores text and metadata, and the head of a new file of matrices."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from zoo.errors import InputError
from zoo.gguf.layout import ALIGNMENT, ARRAY, NUMBERS, SCALARS, STRING, Entry, Scalar


def string(text: str) -> bytes:
    """Its length and its bytes, as names and keys are stored."""
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def encoded(key: str, value: Scalar | list[str] | bytes, before: Entry | None) -> bytes:
    """A value with its type number. Bytes are one already; a number keeps the type that the key had ``before``.

    Raises InputError if the value does not fit into that type.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return struct.pack("<IIQ", ARRAY, STRING, len(value)) + b"".join(string(item) for item in value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + string(value)
    kept = before.value_type if before and before.value_type in SCALARS else None
    value_type = kept if kept is not None and (kept == 7) == isinstance(value, bool) else _natural_type(value)
    try:
        return struct.pack("<I" + SCALARS[value_type], value_type, value)
    except (struct.error, OverflowError) as error:
        raise InputError(f"{key} cannot hold {value!r}: its type in the file is too small") from error


def _natural_type(value: int | float | bool) -> int:
    if isinstance(value, bool):
        return 7
    if isinstance(value, float):
        return 6
    return 4 if 0 <= value < 1 << 32 else 11


def matrices_head(values: Mapping[str, Scalar | list[str]], shapes: Mapping[str, tuple[int, int]]) -> bytes:
    """What stands before the numbers in a file of float32 matrices.

    shapes: (rows, length of a row) by name. The numbers of each follow in this order, filled up to ALIGNMENT.
    """
    head = [b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(values))]
    head += [string(key) + encoded(key, value, None) for key, value in sorted(values.items())]
    offset = 0
    for name, (rows, length) in shapes.items():
        head.append(string(name) + struct.pack("<IQQIQ", 2, length, rows, NUMBERS["F32"], offset))
        size = 4 * rows * length
        offset += size + -size % ALIGNMENT
    start = b"".join(head)
    return start + b"\0" * (-len(start) % ALIGNMENT)
