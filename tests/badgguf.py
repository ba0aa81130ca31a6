"""Damage to the bytes of a GGUF file."""

from __future__ import annotations

import struct


def cut(raw: bytearray) -> None:
    """An incomplete download."""
    del raw[len(raw) * 2 // 3 :]


def future(raw: bytearray) -> None:
    """A version of the format that does not exist yet."""
    raw[4:8] = struct.pack("<I", 9)


def no_tensors(raw: bytearray) -> None:
    """A header without tensors."""
    raw[8:16] = struct.pack("<Q", 0)
