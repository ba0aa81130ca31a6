"""Where the level of a series changed, found afterwards over all of its valid runs. Pure.

The series is split into pieces with one level each, so that the sum of all distances from the medians of the pieces,
in units of the noise, plus a price for each piece, is the smallest possible. This is exact (Jackson et al., 2005,
"optimal partitioning"). Distances and not their squares count, and a piece has two runs at least, so one odd run never
makes a piece. The noise is estimated from differences of neighbours, which a change of level does not disturb.
"""

from __future__ import annotations

import math
import statistics
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_RUNS = 2
"""Of a piece."""
LEAST_SHARE = 0.03
"""A smaller step between two pieces is not a change."""
PRICE = 3.0
"""Of a piece, in units of the noise for each factor e of the number of runs; ``benchmarks/alarms.py`` shows how often
that finds a change where none is."""
MOST_RUNS = 1500
"""Of a series: the newest ones. Work grows with the square, and this many take a second."""


@dataclass(frozen=True)
class Change:
    """The first run after a change, and the medians before and after it, up to the next change."""

    place: int
    before: float
    after: float

    @property
    def share(self) -> float:
        """0.1 if the figure grew by a tenth."""
        return self.after / self.before - 1


def find(values: Sequence[float]) -> list[Change]:
    """The changes of level, oldest first. values: of the valid runs of one series, oldest first, all above 0."""
    skipped = max(len(values) - MOST_RUNS, 0)
    some = values[skipped:]
    starts = _merged(some, _pieces(some, _noise(some)))
    levels = _levels(some, starts)
    pairs = zip(starts[1:], levels, levels[1:], strict=False)
    return [Change(skipped + start, before, after) for start, before, after in pairs]


def _noise(values: Sequence[float]) -> float:
    """Standard deviation of one run around its level; a thousandth of the median at least."""
    if len(values) < LEAST_RUNS:
        return 0.0
    steps = [abs(after - before) for before, after in pairwise(values)]
    return max(1.4826 * statistics.median(steps) / math.sqrt(2), statistics.median(values) / 1000)


def _pieces(values: Sequence[float], noise: float) -> list[int]:
    """Where the pieces of the cheapest split begin; the first is 0."""
    if len(values) < 2 * LEAST_RUNS:
        return [0]
    price = PRICE * noise * math.log(len(values))
    # best[end]: the smallest sum for the runs before ``end``; began[end]: where its last piece begins.
    best, began = [0.0] + [math.inf] * len(values), [0] * (len(values) + 1)
    for end in range(1, len(values) + 1):
        run: list[float] = []
        distance = 0.0
        for start in range(end - 1, -1, -1):
            distance += _distance(run, values[start])
            if distance >= best[end]:
                break
            insort(run, values[start])
            total = best[start] + distance + price
            if end - start >= LEAST_RUNS and total < best[end]:
                best[end], began[end] = total, start
    starts, end = list[int](), len(values)
    while end:
        end = began[end]
        starts.append(end)
    return starts[::-1]


def _distance(run: Sequence[float], value: float) -> float:
    """How much a value adds to the sum of distances from the median of sorted values."""
    if not run:
        return 0.0
    low, high = run[(len(run) - 1) // 2], run[len(run) // 2]
    return max(low - value, value - high, 0.0)


def _levels(values: Sequence[float], starts: Sequence[int]) -> list[float]:
    ends = [*starts[1:], len(values)]
    return [statistics.median(values[start:end]) for start, end in zip(starts, ends, strict=True) if end > start]


def _merged(values: Sequence[float], starts: list[int]) -> list[int]:
    """Without the smallest step, as long as it is smaller than LEAST_SHARE."""
    while len(starts) > 1:
        levels = _levels(values, starts)
        steps = [abs(after / before - 1) for before, after in pairwise(levels)]
        least = min(range(len(steps)), key=steps.__getitem__)
        if steps[least] >= LEAST_SHARE:
            break
        del starts[least + 1]
    return starts
