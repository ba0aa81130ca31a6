"""A history as tracks: the runs of one file type on one device with one setting, in series that can be compared. Pure.

Another device, file or llama.cpp begins a new series: it is a break with its reason, and never an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from catalog import history as formats
from catalog.history import FIGURES, Ack, Figure, History, Run
from zoo.history import changes, rule
from zoo.history.changes import Change
from zoo.history.rule import Judged

UNIT = "tokens/s"
SHORT: dict[Figure, str] = {"decode_tokens_per_second": "decode", "prompt_tokens_per_second": "prompt"}
"""Names of the figures for people."""


@dataclass(frozen=True)
class Point:
    """A run in a series. judged: by figure; a run that is not valid has none."""

    run: Run
    judged: dict[Figure, Judged]

    def state(self, figure: Figure) -> str:
        """A word for tables."""
        return self.judged[figure].state if self.run.valid else "not valid"


@dataclass(frozen=True)
class Series:
    """Runs that can be compared, by time. broke: what differs from the series before it; empty for the first one.

    changes: of the level, by figure; ``place`` counts valid runs.
    """

    key: str
    points: tuple[Point, ...]
    broke: tuple[str, ...]
    changes: dict[Figure, tuple[Change, ...]]

    @property
    def valid(self) -> list[Point]:
        return [point for point in self.points if point.run.valid]


@dataclass(frozen=True)
class Track:
    """What one picture shows."""

    type: str
    device: str
    setting: str
    series: tuple[Series, ...]

    @property
    def points(self) -> list[Point]:
        return [point for one in self.series for point in one.points]


@dataclass(frozen=True)
class Alarm:
    """A figure that became worse and stays so. run: where the alarm began; newest: the last run. share: how much the
    newest run differs from what was usual, such as -0.12."""

    track: Track
    figure: Figure
    run: Run
    newest: Run
    share: float


def tracks(history: History) -> list[Track]:
    """The tracks, by type, device and setting."""

    def name(run: Run) -> tuple[str, str, str]:
        return run.type or run.file_name, run.device, run.setting

    found = []
    for words, runs in groupby(sorted(history.runs, key=lambda run: (*name(run), run.at_utc, run.id)), name):
        found.append(Track(*words, tuple(_series(list(runs), history.acks))))
    return found


def _series(runs: Sequence[Run], acks: Sequence[Ack]) -> Iterator[Series]:
    """The series by their newest run, so that two that are measured in turns stay two."""
    some: dict[str, list[Run]] = {}
    for run in runs:
        some.setdefault(formats.key_of(run.series), []).append(run)
    before: Run | None = None
    for key, mine in sorted(some.items(), key=lambda one: (one[1][-1].at_utc, one[0])):
        yield _judged(key, mine, tuple(formats.differences(before.series, mine[0].series)) if before else (), acks)
        before = mine[0]


def _judged(key: str, runs: Sequence[Run], broke: tuple[str, ...], acks: Sequence[Ack]) -> Series:
    valid = [run for run in runs if run.valid]
    judged: dict[str, dict[Figure, Judged]] = {run.id: {} for run in runs}
    found: dict[Figure, tuple[Change, ...]] = {}
    for figure in FIGURES:
        accepted = {ack.run for ack in acks if ack.figure == figure}
        values = [run.median(figure) for run in valid]
        places = {place for place, run in enumerate(valid) if run.id in accepted}
        for run, one in zip(valid, rule.judge(values, accepted=places), strict=True):
            judged[run.id][figure] = one
        found[figure] = tuple(changes.find(values))
    return Series(key, tuple(Point(run, judged[run.id]) for run in runs), broke, found)


def alarms(track: Track) -> list[Alarm]:
    """The alarms that stand: of the newest series only, because an older one cannot be measured again."""
    found = list[Alarm]()
    valid = track.series[-1].valid if track.series else []
    for figure in FIGURES if valid else ():
        last = valid[-1].judged[figure]
        if last.alarm is not None and last.band:
            share = valid[-1].run.median(figure) / last.band.median - 1
            found.append(Alarm(track, figure, valid[last.alarm].run, valid[-1].run, share))
    return found


def suspects(track: Track) -> list[Figure]:
    """Figures whose newest run is worse than usual, alone: another run decides."""
    valid = track.series[-1].valid if track.series else []
    return [figure for figure in FIGURES if valid and _alone(valid[-1], figure)]


def _alone(point: Point, figure: Figure) -> bool:
    one = point.judged[figure]
    is_worse = one.band is not None and point.run.median(figure) < one.band.low
    return one.state == "suspect" and one.alarm is None and is_worse
