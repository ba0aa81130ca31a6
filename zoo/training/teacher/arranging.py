"""Which rows a teacher reads together, and which answers are in one shard: a pure function of the rows' lengths.

A product of matrices may add in another order when its shape is another one. So the shape in which a row is read is
decided by the row alone: its length is rounded up to one of few, and a batch of that length always has the same number
of rows; rows that are missing at the end are filled up. What else is in the cache, and where the work was interrupted,
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from catalog.jsontext import Json
from zoo.training.conversations import EncodedRow

SHORTEST = 16


@dataclass(frozen=True)
class Width:
    """How much is read together. It is part of a cache's identity.

    batch_tokens: of all rows of a batch, padding included (a longer row is a batch by itself). head_positions: whose
    logits are in memory at one time. shard_positions: a shard is closed when it has so many. is_padded: whether rows of
    unlike lengths are read together.
    """

    batch_tokens: int
    head_positions: int
    shard_positions: int
    is_padded: bool = True


WIDTHS = {"cpu": Width(512, 64, 4_096), "cuda": Width(16_384, 1_024, 65_536)}
"""By kind of device. A core is busy with 512 tokens. A shard is what a kill costs, a few minutes of a small teacher."""


LENGTH_ROPES = ("dynamic", "longrope")
"""Rotary embeddings whose angles depend on the length of the longest row, padding included."""


def width_of(device: str, config: Json) -> Width:
    """The width on a device such as ``cuda:1``, of a teacher with this ``config.json``.

    How many tokens an expert multiplies depends on all rows of the batch, so a model with experts reads row by row. One
    whose rotary embedding depends on the length gets no padding.
    """
    width = WIDTHS.get(device.partition(":")[0], WIDTHS["cuda"])
    pairs = list(_pairs(config))
    if any("experts" in key and isinstance(value, int) and value > 1 for key, value in pairs):
        width = replace(width, batch_tokens=1)
    stretched = any(key in ("rope_type", "type") and value in LENGTH_ROPES for key, value in pairs)
    return replace(width, is_padded=not stretched)


def _pairs(value: Json) -> Iterator[tuple[str, Json]]:
    """Every key with its value, at any depth."""
    if isinstance(value, Mapping):
        yield from value.items()
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _pairs(inner)


@dataclass(frozen=True)
class Batch:
    """Rows, by number, that are read together: each padded to ``length`` tokens, and as many as ``capacity``."""

    rows: tuple[int, ...]
    length: int
    capacity: int


def tokens_read(row: EncodedRow) -> int:
    """How many tokens of a row the teacher reads: none after the last one whose successor counts."""
    return row.positions[-1] + 1


def padded(tokens: int) -> int:
    """The length to which a row of so many tokens is padded: a power of two, or one and a half of one."""
    power = max(SHORTEST, 1 << (tokens - 1).bit_length())
    return power * 3 // 4 if power > SHORTEST and tokens <= power * 3 // 4 else power


def arranged(rows: Sequence[EncodedRow], width: Width) -> tuple[tuple[Batch, ...], ...]:
    """The shards, each with its batches. The longest rows come first: what does not fit into memory fails early."""
    read = [tokens_read(row) for row in rows]
    lengths = [padded(tokens) for tokens in read] if width.is_padded else read
    counts = [len(row.positions) for row in rows]
    order = sorted(range(len(rows)), key=lambda number: (-lengths[number], number))
    shards, open_shard, positions = list[tuple[Batch, ...]](), list[Batch](), 0
    for length, group in groupby(order, key=lambda number: lengths[number]):
        numbers, capacity = list(group), max(1, width.batch_tokens // length)
        for start in range(0, len(numbers), capacity):
            batch = Batch(tuple(numbers[start : start + capacity]), length, capacity)
            open_shard.append(batch)
            positions += sum(counts[number] for number in batch.rows)
            if positions >= width.shard_positions:
                shards.append(tuple(open_shard))
                open_shard, positions = [], 0
    return (*shards, tuple(open_shard)) if open_shard else tuple(shards)
