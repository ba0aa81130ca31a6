"""Notes of a quarter for the people of a zoo: releases, withdrawn versions, contributions, speed, differences. Pure."""

from __future__ import annotations

import datetime
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.history import FIGURES, History
from catalog.index import Catalog
from catalog.unseen import visible
from catalog.watch import Report
from catalog.words import counted, rate
from zoo.errors import InputError
from zoo.history import tracks, views
from zoo.review.lines import fenced
from zoo.review.trees import Commit

_LONGEST = 300


@dataclass(frozen=True)
class Quarter:
    """Three months of a year, such as 2026-Q4."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"

    @property
    def first(self) -> str:
        return datetime.date(self.year, 3 * self.number - 2, 1).isoformat()

    @property
    def after(self) -> str:
        """The first day of the next quarter."""
        year, month = (self.year + 1, 1) if self.number == 4 else (self.year, 3 * self.number + 1)
        return datetime.date(year, month, 1).isoformat()

    def has(self, date: str) -> bool:
        """Whether a date, or a time that begins with one, is in it."""
        return self.first <= date[:10] < self.after


def named(text: str) -> Quarter:
    """``2026-Q4`` as a quarter. Raises InputError."""
    found = re.fullmatch(r"(\d{4})-Q([1-4])", text)
    if not found or not 1 <= int(found[1]) <= 9998:
        raise InputError(f"{text!r} is not a quarter", remedy="Write, for example: zoo notes 2026-Q4")
    return Quarter(int(found[1]), int(found[2]))


def before(date: datetime.date) -> Quarter:
    """The quarter before that of a date."""
    number = (date.month - 1) // 3
    return Quarter(date.year, number) if number else Quarter(date.year - 1, 4)


def notes(
    quarter: Quarter, catalog: Catalog, commits: Sequence[Commit], histories: Mapping[str, History],
    watch: Report | None,
) -> str:  # fmt: skip
    """The notes as Markdown; what the catalog, git and reports say is in blocks of code. histories: by model."""
    parts = [f"# Notes for {quarter}\n"]
    for title, lines in (
        ("Released", list(_released(quarter, catalog))),
        ("Withdrawn, or available again", list(_withdrawn(quarter, catalog))),
        (
            "Changed recipes and corpora",
            [f"{one.author}: {one.subject} ({', '.join(one.files[:5])})" for one in commits],
        ),
        ("Measured speed", list(_measured(quarter, histories))),
    ):
        parts.append(f"## {title}\n")
        parts.append(fenced([_short(line) for line in lines]) if lines else "Nothing.\n")
    people = Counter(one.author for one in commits)
    if people:
        parts += [
            "## Thanks to\n",
            fenced([_short(f"{name}, {counted(n, 'commit')}") for name, n in sorted(people.items())]),
        ]
    parts += ["## Differences on the hub\n", _differences(quarter, watch)]
    return "\n".join(parts)


def _released(quarter: Quarter, catalog: Catalog) -> Iterator[str]:
    for model in catalog.models:
        for release in reversed(model.releases):
            if quarter.has(release.date):
                yield f"{release.date} {model.name} {release.version}: {model.summary}"
                yield from (f"  {sentence}" for sentence in (release.news.changes if release.news else ()))


def _withdrawn(quarter: Quarter, catalog: Catalog) -> Iterator[str]:
    for model in catalog.models:
        for event in model.yanks:
            if quarter.has(event.date):
                yield f"{event.date} {event.action} {model.name} {event.version}: {event.reason}"


def _measured(quarter: Quarter, histories: Mapping[str, History]) -> Iterator[str]:
    """The runs of the quarter, with alarms that began in it, and slower levels that somebody accepted."""
    for name, history in sorted(histories.items()):
        for track in tracks.tracks(history):
            runs = [one.run for one in track.points if quarter.has(one.run.at_utc)]
            valid = [run for run in runs if run.valid]
            if runs:
                speeds = ", ".join(
                    f"{tracks.SHORT[figure]} {rate(statistics.median(r.median(figure) for r in valid))} {tracks.UNIT}"
                    for figure in FIGURES if valid
                )  # fmt: skip
                broken = f", {len(runs) - len(valid)} of them not valid" if len(valid) < len(runs) else ""
                yield (
                    f"{name} {track.type} on {track.device}, {track.setting}: {counted(len(runs), 'run')}{broken}"
                    f"{'; ' if speeds else ''}{speeds}"
                )
            for alarm in tracks.alarms(track):
                if quarter.has(alarm.run.at_utc):
                    yield f"  slower: {views.alarm_words(alarm)}"
        for ack in history.acks:
            if quarter.has(ack.at_utc):
                what = f"a slower {tracks.SHORT[ack.figure]}: {ack.reason}"
                yield f"{name}: {ack.by} accepted on {ack.at_utc[:10]} {what}"


def _differences(quarter: Quarter, watch: Report | None) -> str:
    if watch is None or not quarter.has(watch.date):
        return "No watch of this quarter is recorded.\n"
    lines = [_short(f"{one.name} {one.version}: {one.what}") for one in watch.findings]
    return fenced(lines) if lines else f"None: on {watch.date} the hub served what the catalog records.\n"


def _short(line: str) -> str:
    shown = visible(line)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 4]} ..."
