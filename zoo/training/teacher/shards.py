"""A shard: the answers of some batches in one file. Rows are read one by one, after the file was verified.

The file is a line of JSON with the sizes of its blocks, then the blocks (``codec``). A block has whole rows, as many as
make it worth a Huffman code of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.files.digests import canonical_json
from zoo.training.teacher.codec import pack, unpack
from zoo.training.teacher.targets import Targets, joined

BLOCK_POSITIONS = 32
"""A block is read as a whole for one of its rows, so most rows are one. Blocks of 256 would be 4 % smaller."""


class _Head(TypedDict):
    """top_k: tokens per position. blocks: rows and bytes of each. positions: of each row."""

    top_k: int
    blocks: list[tuple[int, int]]
    positions: list[int]


@dataclass(frozen=True)
class _Place:
    """Where a row is: the block's first byte, bytes and positions, and the row's positions in it."""

    start: int
    size: int
    positions: int
    first: int
    end: int


def name_of(number: int) -> str:
    """The file of a shard."""
    return f"shard-{number:05d}.answers"


def written(answers: Sequence[Targets]) -> Iterator[bytes]:
    """The bytes of a shard with the answers of some rows."""
    blocks, head = [], list[tuple[int, int]]()
    for rows in _grouped(answers):
        blocks.append(pack(joined(rows)))
        head.append((len(rows), len(blocks[-1])))
    top_k = answers[0].ids.shape[1]
    yield canonical_json(_Head(top_k=top_k, blocks=head, positions=[len(row) for row in answers])).encode() + b"\n"
    yield from blocks


def _grouped(answers: Sequence[Targets]) -> Iterator[list[Targets]]:
    rows, positions = list[Targets](), 0
    for row in answers:
        rows.append(row)
        positions += len(row)
        if positions >= BLOCK_POSITIONS:
            yield rows
            rows, positions = [], 0
    if rows:
        yield rows


class Shard:
    """A verified shard. ``path`` is opened for every row, because a cache may have thousands of them."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, or ValueError for a file of another kind."""
        with path.open("rb") as stream:
            line = stream.readline()
        head = shaped(jsontext.parse(line, bounded=False), _Head)
        self._path, self._top_k, self._places = path, head["top_k"], _places(head, len(line))

    def row(self, number: int) -> Targets:
        """The answers of a row, by its place in the shard."""
        place = self._places[number]
        with self._path.open("rb") as stream:
            stream.seek(place.start)
            raw = stream.read(place.size)
        return unpack(raw, place.positions, self._top_k).part(place.first, place.end)


def _places(head: _Head, start: int) -> list[_Place]:
    places, row = list[_Place](), 0
    for rows, size in head["blocks"]:
        counts = head["positions"][row : row + rows]
        first = 0
        for count in counts:
            places.append(_Place(start, size, sum(counts), first, first + count))
            first += count
        start, row = start + size, row + rows
    return places
