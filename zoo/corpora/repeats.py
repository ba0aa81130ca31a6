"""Which records of many files are repeated, in little memory: two hashes of each, on the disk if there are many.

Python's hash (SipHash, with a key of the process) needs no loop here, and a text of which it is asked twice is read
once.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

_WORD = "q"
_ROW = 3
"""Words of a record: its hashes and its place."""
_ROW_BYTES = _ROW * array(_WORD).itemsize
_LOWEST = 0 if sys.byteorder == "little" else array(_WORD).itemsize - 1
_BUCKETS = 256

FULL = 1_000_000
"""Records that are kept in memory: 24 MB, twice that while they are written, and 65 MB at the end."""

Place = tuple[int, int]
"""(number of the file, line)."""


class Repeat(NamedTuple):
    """A record at ``place`` that ``first`` has too."""

    place: Place
    first: Place


class Repeats:
    """Takes the identity of every record in order. folder: for what does not fit into memory; deleted by its owner.

    Two of 31 million records share both hashes by chance in one of 10^23 corpora (in one of 38,000 where Python has 32
    bits).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes = [array(_WORD), array(_WORD)]
        self._places = array(_WORD)
        self._is_spilled = False

    def add(self, space: str, identities: Sequence[tuple[str, ...]], file: int, line: int) -> None:
        """Take the records of successive lines, the first of which is ``line``. space: only records of one space are
        compared. Raises OSError if the disk is full."""
        self._hashes[0].extend(map(hash, zip(repeat(space), identities)))
        self._hashes[1].extend(map(hash, map("\0".join, identities)))
        first = (file << 40) | line
        self._places.extend(range(first, first + len(identities)))
        if len(self._places) >= FULL:
            self._spill()

    def _spill(self) -> None:
        columns = (*self._hashes, self._places)
        rows = array(_WORD, bytes(len(self._places) * _ROW_BYTES))
        for number, words in enumerate(columns):
            rows[number::_ROW] = words
        # The lowest byte of the first hash is the number of the bucket.
        of_each = bytes(memoryview(self._hashes[0]).cast("B")[_LOWEST :: rows.itemsize])
        for words in columns:
            del words[:]
        buckets = [bytearray() for _ in range(_BUCKETS)]
        put = [bucket.extend for bucket in buckets]
        for number, (row,) in zip(of_each, struct.iter_unpack(f"{_ROW_BYTES}s", rows), strict=True):
            put[number](row)
        for number, bucket in enumerate(buckets):
            with self._path(number).open("ab") as stream:
                stream.write(bucket)
        self._is_spilled = True

    def found(self) -> Iterator[Repeat]:
        """Every record that an earlier one equals; in the order of the records within a bucket, not among them.
        Raises OSError."""
        if not self._is_spilled and len(set(self._hashes[0])) == len(self._places):
            return
        self._spill()
        for number in range(_BUCKETS):
            held = array(_WORD, self._path(number).read_bytes())
            beginnings = held[::_ROW]
            if len(set(beginnings)) == len(beginnings):
                continue
            first: dict[tuple[int, int], int] = {}
            keys = zip(beginnings, held[1::_ROW], strict=True)
            for key, place in zip(keys, held[2::_ROW], strict=True):
                before = first.setdefault(key, place)
                if before != place:
                    yield Repeat(_place(place), _place(before))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:02x}"


def _place(number: int) -> Place:
    return number >> 40, number & ((1 << 40) - 1)
