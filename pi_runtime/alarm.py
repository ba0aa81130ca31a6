"""When a speed has become worse: the alarm rule of the format ``bench-history/1``. Pure.

A run is compared with the runs before it in its series. What is usual is the median of the newest WINDOW runs of the
present level, plus and minus MADS deviations, LEAST_SHARE of the median at least. One run below it asks for another;
two in a row are an alarm. Source of NORMAL: the median absolute deviation of a normal distribution is 1/1.4826 of its
standard deviation (Rousseeuw and Croux, 1993). A test compares the rule with the one that the catalog uses.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

WINDOW, LEAST_RUNS, IN_A_ROW = 20, 10, 2
MADS, NORMAL, LEAST_SHARE = 3.0, 1.4826, 0.03

State = Literal["too few runs", "usual", "suspect", "worse", "better", "accepted"]
"""suspect: outside of what is usual, but only one run. accepted: worse, and somebody accepted the new level."""


@dataclass(frozen=True)
class Band:
    """What is usual, in tokens per second. runs: how many runs it rests on."""

    low: float
    median: float
    high: float
    runs: int


@dataclass(frozen=True)
class Verdict:
    """What the newest run of a series is. began: the place of the run at which a lasting alarm began, else None."""

    state: State
    band: Band | None
    began: int | None


def usual(values: Sequence[float]) -> Band | None:
    """The band of the newest values; None while there are too few of them."""
    some = values[-WINDOW:]
    if len(some) < LEAST_RUNS:
        return None
    median = statistics.median(some)
    deviation = NORMAL * statistics.median(abs(value - median) for value in some)
    room = max(MADS * deviation, LEAST_SHARE * median)
    return Band(median - room, median, median + room, len(some))


@dataclass
class _Level:
    """Runs of the present level, and those in a row that do not fit it. side: -1 below the band, 1 above it."""

    runs: list[float] = field(default_factory=list)
    odd: list[float] = field(default_factory=list)
    side: int = 0
    began: int | None = None


def judge(values: Sequence[float], accepted: Collection[int] = ()) -> Verdict:
    """The newest of the valid runs of one series, for a figure of which more is better.

    values: oldest first, at least one. accepted: places of runs whose alarm somebody accepted.
    """
    now, few = _Level(), Verdict("too few runs", None, None)
    verdict = few
    for place, value in enumerate(values):
        band = usual(now.runs)
        if band is None:
            now.runs.append(value)
            verdict = few
            continue
        side = (value > band.high) - (value < band.low)
        state: State = _alarmed(now, value, side) if now.began is not None else _taken(now, place, value, side)
        if now.began is not None and place in accepted:
            state, now = "accepted", _Level(now.odd)
        elif state == "better":
            now = _Level(now.odd)
        verdict = Verdict(state, band, now.began)
    return verdict


def _taken(now: _Level, place: int, value: float, side: int) -> State:
    if side != now.side:
        # Single odd runs belong to the level: a median hardly changes by them.
        now.runs += now.odd
        now.odd, now.side = [], side
    if not side:
        now.runs.append(value)
        return "usual"
    now.odd.append(value)
    if len(now.odd) < IN_A_ROW:
        return "suspect"
    if side > 0:
        return "better"
    now.began = place
    return "worse"


def _alarmed(now: _Level, value: float, side: int) -> State:
    """The level before the alarm remains what is usual, until two runs are back or somebody accepts the new one."""
    if side < 0:
        now.side = side
        now.odd.append(value)
        return "worse"
    if now.side < 0:
        now.side = 0
        return "suspect"
    now.odd, now.began = [], None
    now.runs.append(value)
    return "usual"
