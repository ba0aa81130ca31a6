"""Which records of many files are repeated, in little memory: digests in 256 buckets, on the disk if there are many."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

_DIGEST, _PLACE = 16, 8
_WORD = "Q"
"""Of an array, in which a record is the digest in two words, and its place in one."""

FULL = 1_400_000
"""Records that are kept in memory: 32 MiB."""

Place = tuple[int, int]
"""(number of the file, line)."""


class Repeat(NamedTuple):
    """A record at ``place`` that ``first`` has too."""

    place: Place
    first: Place


class Repeats:
    """Takes the identity of every record in order. folder: for what does not fit into memory; deleted by its owner.

    Two of 31 million records share a digest of 128 bits by chance in one of 10^23 corpora.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buckets = [bytearray() for _ in range(256)]
        self._held = 0

    def add(self, space: str, identities: Sequence[str], file: int, line: int) -> None:
        """Take the records of successive lines, the first of which is ``line``. space: only records of one space are
        compared. Raises OSError if the disk is full."""
        buckets = self._buckets
        begun = blake2b(f"{space} ".encode(), digest_size=_DIGEST).copy
        for place, identity in enumerate(identities, (file << 40) | line):
            one = begun()
            one.update(identity.encode())
            digest = one.digest()
            buckets[digest[0]] += digest + place.to_bytes(_PLACE, sys.byteorder)
        self._held += len(identities)
        if self._held >= FULL:
            self._spill()

    def _spill(self) -> None:
        for number, bucket in enumerate(self._buckets):
            with self._path(number).open("ab") as stream:
                stream.write(bucket)
            bucket.clear()
        self._held = 0

    def found(self) -> Iterator[Repeat]:
        """Every record that an earlier one equals; in the order of the records within a bucket, not among them."""
        for number, bucket in enumerate(self._buckets):
            path = self._path(number)
            held = (path.read_bytes() if path.exists() else b"") + bytes(bucket)
            words = array(_WORD, held)
            beginnings = words[::3]
            if len(set(beginnings)) == len(beginnings):
                continue
            first: dict[bytes, int] = {}
            for start, place in zip(range(0, len(held), _DIGEST + _PLACE), words[2::3], strict=True):
                before = first.setdefault(held[start : start + _DIGEST], place)
                if before != place:
                    yield Repeat(_place(place), _place(before))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:02x}"


def _place(number: int) -> Place:
    return number >> 40, number & ((1 << 40) - 1)
