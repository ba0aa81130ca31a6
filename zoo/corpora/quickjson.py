"""The door to ``msgspec``, which reads and writes JSON in machine code: an optional package.

It keeps whole numbers of any length and lets the last of two equal keys win, so what uses it looks for both.
"""

from __future__ import annotations

import functools
from typing import Protocol

from catalog.jsontext import Json


class Decode(Protocol):
    """The data of one line. Raises ValueError, RecursionError."""

    def __call__(self, line: bytes, /) -> Json: ...


class Encode(Protocol):
    """Compact JSON in UTF-8. A quotation mark in a text is written as two bytes, the second of which is itself."""

    def __call__(self, data: object, /) -> bytes: ...


@functools.cache
def decoder() -> Decode | None:
    """None without the package."""
    try:
        # Only here and below: an optional package.
        import msgspec
    except ImportError:
        return None
    made: Decode = msgspec.json.Decoder().decode
    return made


@functools.cache
def encoder() -> Encode | None:
    """None without the package."""
    try:
        import msgspec
    except ImportError:
        return None
    made: Encode = msgspec.json.Encoder().encode
    return made
