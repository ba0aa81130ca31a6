"""Which rows a teacher reads together, and which answers are in one shard: a pure function of the rows' lengths.

A product of matrices may add in another order when its shape is another one. So the shape in which a row is read is
decided by the row alone: its length is rounded up to one of few, and a batch of that length always has the same number
of rows; rows that are missing at the end are filled up. What else is in the cache, and where the work was interrupted,
changes nothing. A row that fills a batch is read by itself, without padding.
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


WIDTHS = {"cpu": Width(96, 64, 4_096), "cuda": Width(16_384, 1_024, 65_536)}
"""By kind of device. A core took 4.1 ms for each token of a row of 32, 3.1 of a row of 64, and 2.7 of a row of 128 or
of several (SmolLM2-135M, on a busy machine): only short rows are worth the padding. A shard is what a kill costs."""


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
    return bytes(row.mask).rfind(1)


def answers_of(row: EncodedRow) -> int:
    """The number of a row's positions, without a list of them: a corpus may have a hundred million."""
    return bytes(row.mask).count(1, 1)


def padded(tokens: int) -> int:
    """The length to which a row of so many tokens is padded: a power of two, or one and a half of one."""
    power = max(SHORTEST, 1 << (tokens - 1).bit_length())
    return power * 3 // 4 if power > SHORTEST and tokens <= power * 3 // 4 else power


def shape_of(tokens: int, width: Width) -> tuple[int, int]:
    """The length and the number of rows of the batch in which a row of so many tokens is read."""
    length = padded(tokens) if width.is_padded else tokens
    capacity = width.batch_tokens // length
    return (length, capacity) if capacity > 1 else (tokens, 1)


def arranged(rows: Sequence[EncodedRow], width: Width) -> tuple[tuple[Batch, ...], ...]:
    """The shards, each with its batches. The longest rows come first: what does not fit into memory fails early."""
    shapes = [shape_of(tokens_read(row), width) for row in rows]
    counts = [answers_of(row) for row in rows]
    order = sorted(range(len(rows)), key=lambda number: (-shapes[number][0], number))
    shards, open_shard, positions = list[tuple[Batch, ...]](), list[Batch](), 0
    for (length, capacity), group in groupby(order, key=lambda number: shapes[number]):
        numbers = list(group)
        for start in range(0, len(numbers), capacity):
            batch = Batch(tuple(numbers[start : start + capacity]), length, capacity)
            open_shard.append(batch)
            positions += sum(counts[number] for number in batch.rows)
            if positions >= width.shard_positions:
                shards.append(tuple(open_shard))
                open_shard, positions = [], 0
    return (*shards, tuple(open_shard)) if open_shard else tuple(shards)
