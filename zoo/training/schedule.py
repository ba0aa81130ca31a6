"""Which rows and which learning rate a step has: pure functions of the step, so a resumed run needs no
history.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

WINDOW_BATCHES = 8


def learning_rate(step: int, steps: int, warmup_steps: int, peak: float) -> float:
    """Linear warm-up to ``peak``, then half a cosine to zero (Loshchilov and Hutter 2017, SGDR); step counts
    from 0.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * 0.5 * (1.0 + math.cos(math.pi * done))


class Batches:
    """The rows of every step; every row occurs once per epoch. lengths: tokens of each row.

    Each epoch has its own permutation. Within windows of a few batches rows are sorted by length, which saves
    padding, and the epoch's batches are then permuted again, so short rows do not come first. Only the epoch last
    asked for is kept: arranging it takes a second for a million rows, which is too long for every step.
    """

    def __init__(self, lengths: Sequence[int], batch_rows: int, seed: int) -> None:
        self.lengths, self._batch_rows, self._seed = lengths, batch_rows, seed
        self._epoch, self._kept = -1, list[list[int]]()

    def rows(self, step: int) -> list[int]:
        """Row numbers of one step, counted from 0."""
        epoch, number = divmod(step, math.ceil(len(self.lengths) / self._batch_rows))
        if epoch != self._epoch:
            self._kept = epoch_batches(epoch, self.lengths, self._batch_rows, self._seed)
            self._epoch = epoch
        return self._kept[number]


def epoch_batches(epoch: int, lengths: Sequence[int], batch_rows: int, seed: int) -> list[list[int]]:
    """All batches of one epoch, in the order in which they are trained on."""
    order = permutation(len(lengths), f"{seed}:{epoch}:rows")
    window = batch_rows * WINDOW_BATCHES
    grouped = [
        row
        for start in range(0, len(order), window)
        for row in sorted(order[start : start + window], key=lambda row: lengths[row])
    ]
    batches = [grouped[start : start + batch_rows] for start in range(0, len(grouped), batch_rows)]
    return [batches[number] for number in permutation(len(batches), f"{seed}:{epoch}:batches")]


def permutation(count: int, name: str) -> list[int]:
    """A permutation of range(count) by the SHA-256 of name and number: the same with any library, on any
    machine.
    """
    return sorted(range(count), key=lambda number: hashlib.sha256(f"{name}:{number}".encode()).digest())
