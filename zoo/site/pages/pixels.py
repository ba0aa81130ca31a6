"""A small picture with words as PNG, without a font file or a library for pictures. Pure.

Programs that show a link with its picture read PNG and no SVG. Letters are the usual 5 x 8 ones of small displays.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

_FONT = bytes.fromhex(
    "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0008070300 001c224100 0041221c00"
    "2a1c7f1c2a 08083e0808 0080703000 0808080808 0000606000 2010080402 3e5149453e 00427f4000 7249494946 2141494d33"
    "1814127f10 2745454539 3c4a494931 4121110907 3649494936 464949291e 0000140000 0040340000 0008142241 1414141414"
    "0041221408 0201590906 3e415d594e 7c1211127c 7f49494936 3e41414122 7f4141413e 7f49494941 7f09090901 3e41415173"
    "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f021c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e"
    "7f09192946 2649494932 03017f0103 3f4040403f 1f2040201f 3f4038403f 6314081463 0304780403 6159494d43 007f414141"
    "0204081020 004141417f 0402010204 4040404040 0003070800 2054547840 7f28444438 3844444428 384444287f 3854545418"
    "00087e0902 18a4a49c78 7f08040478 00447d4000 2040403d00 7f10284400 00417f4000 7c04780478 7c08040478 3844444438"
    "fc18242418 18242418fc 7c08040408 4854545424 04043f4424 3c4040207c 1c2040201c 3c4030403c 4428102844 4c9090907c"
    "4464544c44 0008364100 0000770000 0041360800 0201020402"
)
"""Five columns of each sign from the space to the tilde; the lowest bit is the top."""

LETTER = 6
"""Width of a letter with the gap after it, in dots; its height is 8."""


class Picture:
    """Pixels of width x height, whose colours are places in ``palette`` (red, green, blue); first all are 0."""

    def __init__(self, width: int, height: int, palette: Sequence[tuple[int, int, int]]) -> None:
        self._palette = palette
        self._width = width
        self._rows = [bytearray(width) for _ in range(height)]

    def box(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """Fill a rectangle; what is outside of the picture is cut off."""
        right = min(x + width, self._width)
        run = bytes([colour]) * max(right - x, 0)
        for row in self._rows[y : y + height]:
            row[x:right] = run

    def words(self, x: int, y: int, text: str, scale: int, colour: int, ground: int = 0) -> None:
        """Write a line with dots of ``scale`` pixels on a ground of one colour. Signs without a letter become "?"."""
        letters = text[: max(self._width - x, 0) // (LETTER * scale)]
        columns = b"".join(_columns(sign) for sign in letters)
        dot, none = bytes([colour]) * scale, bytes([ground]) * scale
        for bit in range(8):
            run = b"".join(dot if column >> bit & 1 else none for column in columns)
            for row in self._rows[y + bit * scale : y + (bit + 1) * scale]:
                row[x : x + len(run)] = run

    def png(self) -> bytes:
        """The file (PNG, ISO/IEC 15948), two bits for each pixel if four colours are enough, else a byte."""
        depth = 2 if len(self._palette) <= 4 else 8
        head = struct.pack(">IIBBBBB", self._width, len(self._rows), depth, 3, 0, 0, 0)
        palette = b"".join(bytes(colour) for colour in self._palette)
        rows = self._rows if depth == 8 else map(_packed, self._rows)
        data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
        parts = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", data), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _packed(row: bytearray) -> bytes:
    """Four pixels in a byte, the first one in its highest bits."""
    padded = row + bytes(-len(row) % 4)
    first, second, third, fourth = (int.from_bytes(padded[n::4], "big") for n in range(4))
    return (first << 6 | second << 4 | third << 2 | fourth).to_bytes(len(padded) // 4, "big")


def _columns(sign: str) -> bytes:
    place = ord(sign) - 32 if " " <= sign <= "~" else ord("?") - 32
    return _FONT[5 * place : 5 * place + 5] + b"\0"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
