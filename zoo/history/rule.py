"""When a series of measurements has become worse: the alarm rule. Pure.

A run is compared with the runs before it. Validity comes first: a run that was disturbed is never compared, and one run
alone never raises an alarm. Source of the factor: the median absolute deviation of a normal distribution is 1/1.4826 of
its standard deviation (Rousseeuw and Croux, 1993). ``benchmarks/alarms.py`` measures how often the rule is wrong.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

WINDOW = 20
"""Runs before the judged one that decide what is usual: the newest ones of the present level."""
LEAST_RUNS = 10
"""Fewer runs do not show how much the figure varies by itself."""
MADS, NORMAL = 3.0, 1.4826
"""How many median absolute deviations are usual, and what makes one of them a standard deviation."""
LEAST_SHARE = 0.03
"""A smaller change is never reported, however little the figure varies."""
IN_A_ROW = 2

State = Literal["too few runs", "usual", "suspect", "worse", "better", "accepted"]
"""suspect: outside of the band, but only one run. worse and better: two in a row. accepted: worse, but acknowledged."""


@dataclass(frozen=True)
class Band:
    """What is usual, in the figure's unit. runs: how many runs it rests on."""

    low: float
    median: float
    high: float
    runs: int


@dataclass(frozen=True)
class Judged:
    """One run. band is None while there are too few runs. alarm: the place of the run at which the alarm began that
    lasts after this run; None without one."""

    state: State
    band: Band | None
    alarm: int | None = None


def band(values: Sequence[float]) -> Band | None:
    """The band of the newest WINDOW values; None for fewer than LEAST_RUNS."""
    some = values[-WINDOW:]
    if len(some) < LEAST_RUNS:
        return None
    median = statistics.median(some)
    deviation = NORMAL * statistics.median(abs(value - median) for value in some)
    room = max(MADS * deviation, LEAST_SHARE * median)
    return Band(median - room, median, median + room, len(some))


def judge(values: Sequence[float], *, more_is_better: bool = True, accepted: Collection[int] = ()) -> list[Judged]:
    """What each run of one series is. values: of the valid runs, oldest first. accepted: places of alarms that somebody
    acknowledged; from there on the new level is usual."""
    series = _Series(more_is_better)
    return [series.take(place, value, place in accepted) for place, value in enumerate(values)]


class _Series:
    """The present level of a series, and runs in a row that do not fit it."""

    def __init__(self, more_is_better: bool) -> None:
        self._worse = -1 if more_is_better else 1
        self._level: list[float] = []
        self._odd: list[float] = []
        self._side = 0
        self._alarm: int | None = None

    def take(self, place: int, value: float, accepted: bool) -> Judged:
        usual = band(self._level)
        if usual is None:
            self._level.append(value)
            return Judged("too few runs", None)
        side = (value > usual.high) - (value < usual.low)
        state = self._usually(place, value, side) if self._alarm is None else self._in_alarm(value, side)
        if self._alarm is not None and accepted:
            self._begin()
            state = "accepted"
        return Judged(state, usual, self._alarm)

    def _usually(self, place: int, value: float, side: int) -> State:
        if side != self._side:
            # Single odd runs belong to the level: a median does not mind them.
            self._level += self._odd
            self._odd, self._side = [], side
        if not side:
            self._level.append(value)
            return "usual"
        self._odd.append(value)
        if len(self._odd) < IN_A_ROW:
            return "suspect"
        if side != self._worse:
            self._begin()
            return "better"
        self._alarm = place
        return "worse"

    def _in_alarm(self, value: float, side: int) -> State:
        """The level before the alarm stays what is usual, until two runs are back or somebody accepts the new one."""
        if side == self._worse:
            self._side = side
            self._odd.append(value)
            return "worse"
        if self._side == self._worse:
            self._side = 0
            return "suspect"
        self._alarm, self._odd = None, []
        self._level.append(value)
        return "usual"

    def _begin(self) -> None:
        """A new level starts with the runs that did not fit the old one."""
        self._level, self._odd, self._side, self._alarm = self._odd, [], 0, None
