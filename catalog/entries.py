"""The catalog's text split into models without parsing it, so that unchanged models cost nothing to read.

Only text written by ``index.to_text`` can be split: there, a line of four spaces and a brace begins or ends a model,
as everything deeper is indented more and no string holds a line break. A piece is still parsed and checked by
``index.parse`` before it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from catalog import index
from catalog.release import Model

HEAD = f'{{\n  "schema": "{index.SCHEMA}",\n  "models": [\n    {{\n'
BETWEEN = "\n    },\n    {\n"
TAIL = "\n    }\n  ]\n}\n"
_NAME = re.compile(r'\s*"name": "([^"\\]*)"')
_CUT = BETWEEN.encode()
_BLOCK = 1 << 16
_NAME_BYTES = 4096
MOST_PIECE_BYTES = 16 << 20
"""Of one model: more than a thousand releases with a dozen files each."""


def split(text: str) -> list[str] | None:
    """The text of each model, as ``model`` takes it; None for a text of another form, or without a model."""
    if not (text.startswith(HEAD) and text.endswith(TAIL)):
        return None
    return text[len(HEAD) : -len(TAIL)].split(BETWEEN)


def name(piece: str) -> str:
    """The name of the model of one piece; empty if it does not begin with one."""
    found = _NAME.match(piece)
    return found[1] if found else ""


def model(piece: str) -> Model | None:
    """The model of one piece; None if it is not exactly one valid model; then the complete text must be parsed."""
    catalog, problems = index.parse(alone(piece), "")
    return catalog.models[0] if not problems and len(catalog.models) == 1 else None


def alone(piece: str) -> str:
    """The text of a catalog with only the model of one piece."""
    return f'{{"schema": "{index.SCHEMA}", "models": [{{{piece}}}]}}'


def piece_of(model: Model) -> str:
    """The text of one model, as ``split`` finds it."""
    text = index.to_text(index.Catalog((model,)))
    return text[len(HEAD) : -len(TAIL)]


@dataclass(frozen=True)
class Place:
    """Where a model's piece is, in bytes from the start. If it is absent, start and end are where it belongs."""

    start: int
    end: int
    there: bool


class Cut:
    """An open catalog file in the form of ``split``, whose models are sorted by name, read piece by piece.

    Nothing is checked here. The file is read, not mapped: another program may shorten it at any time.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.size = os.fstat(handle).st_size
        self._first, self._last = len(HEAD.encode()), self.size - len(TAIL.encode())
        self.possible = (
            self._last > self._first
            and self._read(0, self._first) == HEAD.encode()
            and self._read(self._last, self.size) == TAIL.encode()
        )
        """Whether it looks like that form."""

    def pieces(self) -> Iterator[bytes]:
        """Every piece, in order; a few are in memory at a time. Raises OSError, also for one that is too long."""
        found = bytearray()
        searched = 0
        for block in self._blocks(self._first, self._last):
            found += block
            while (at := found.find(_CUT, searched)) >= 0:
                yield bytes(found[:at])
                del found[: at + len(_CUT)]
                searched = 0
            if len(found) > MOST_PIECE_BYTES:
                raise OSError(f"a model has more than {MOST_PIECE_BYTES >> 20} MiB")
            # A separator may lie across two blocks.
            searched = max(0, len(found) - len(_CUT) + 1)
        yield bytes(found)

    def find(self, name: str) -> Place:
        """Where the model ``name`` is, by halving: the number of reads grows with the logarithm of the models."""
        # A piece begins at low, and all before it have smaller names. high only says where halving is worth while.
        low, high = self._first, self._last
        while high - low > _BLOCK:
            middle = (low + high) // 2
            start = self._next(middle, high)
            if start is None:
                high = middle
            elif self._name(start) <= name:
                low = start
            else:
                high = start
        start = low
        while True:
            cut = self._search(start, self._last)
            there = self._name(start)
            if there >= name:
                end = self._last if cut is None else cut
                return Place(start, end, True) if there == name else Place(start, start, False)
            if cut is None:
                return Place(self._last, self._last, False)
            start = cut + len(_CUT)

    def text(self, place: Place) -> str:
        """The piece at a place. Raises UnicodeDecodeError."""
        return self._read(place.start, place.end).decode("utf-8")

    def with_piece(self, place: Place, piece: str) -> Iterator[bytes]:
        """The bytes of the whole file with ``piece`` at that place, a block at a time."""
        yield from self._blocks(0, place.start)
        if not place.there and place.start == self._last:
            yield _CUT
        yield piece.encode()
        if not place.there and place.start != self._last:
            yield _CUT
        yield from self._blocks(place.end, self.size)

    def _blocks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            block = self._read(start, min(end, start + 64 * _BLOCK))
            if not block:
                raise OSError("the file became shorter while it was read")
            yield block
            start += len(block)

    def _name(self, start: int) -> str:
        return name(self._read(start, start + _NAME_BYTES).decode("utf-8", errors="replace"))

    def _next(self, start: int, end: int) -> int | None:
        """Where the first piece begins that begins after ``start`` and before ``end``."""
        cut = self._search(start, end)
        return None if cut is None or cut + len(_CUT) >= end else cut + len(_CUT)

    def _search(self, start: int, end: int) -> int | None:
        """Where the first separator from ``start`` on begins, if it begins before ``end``."""
        while start < end:
            block = self._read(start, start + _BLOCK)
            if (found := block.find(_CUT)) >= 0:
                return start + found if start + found < end else None
            if len(block) < len(_CUT):
                return None
            start += len(block) - len(_CUT) + 1
        return None

    def _read(self, start: int, end: int) -> bytes:
        """Bytes of the file; fewer only at its end."""
        found = b""
        while start + len(found) < end:
            more = os.pread(self._handle, end - start - len(found), start + len(found))
            if not more:
                break
            found += more
        return found
