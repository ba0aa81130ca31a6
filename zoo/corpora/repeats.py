"""Which records of many files are repeated, in little memory: digests in 256 buckets, on the disk if there are many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_DIGEST, _PLACE = 15, 9
_FULL = 1 << 17
"""Bytes of a bucket that are kept in memory: 32 MiB of all, 1.4 million records."""

Place = tuple[int, int]
"""(number of the file, line)."""


class Repeat(NamedTuple):
    """A record at ``place`` that ``first`` has too."""

    place: Place
    first: Place


class Repeats:
    """Takes the identity of every record in order. folder: for what does not fit into memory; deleted by its owner.

    Two of 31 million records share a digest of 120 bits by chance in one of 10^21 corpora.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buckets = [bytearray() for _ in range(256)]

    def add(self, identity: str, file: int, line: int) -> None:
        """Take a record. Raises OSError if the disk is full."""
        digest = hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        bucket = self._buckets[digest[0]]
        bucket += digest
        bucket += ((file << 40) | line).to_bytes(_PLACE, "big")
        if len(bucket) >= _FULL:
            with self._path(digest[0]).open("ab") as stream:
                stream.write(bucket)
            bucket.clear()

    def found(self) -> Iterator[Repeat]:
        """Every record that an earlier one equals; in the order of the records within a bucket, not among them."""
        for number, bucket in enumerate(self._buckets):
            path = self._path(number)
            held = (path.read_bytes() if path.exists() else b"") + bytes(bucket)
            first: dict[bytes, bytes] = {}
            for start in range(0, len(held), _DIGEST + _PLACE):
                digest = held[start : start + _DIGEST]
                place = held[start + _DIGEST : start + _DIGEST + _PLACE]
                before = first.setdefault(digest, place)
                if before is not place:
                    yield Repeat(_place(place), _place(before))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:02x}"


def _place(raw: bytes) -> Place:
    number = int.from_bytes(raw, "big")
    return number >> 40, number & ((1 << 40) - 1)
