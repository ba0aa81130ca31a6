"""The files of all models on one device: right answers to the usual task probes against decode speed."""

from __future__ import annotations

import functools
from collections.abc import Sequence, Set
from dataclasses import dataclass

from catalog import guessing
from catalog.words import rate
from zoo.site.pages.charts.chart import Chart, as_csv
from zoo.site.pages.charts.scatter import FEWEST, Dot, front, scatter
from zoo.site.pages.charts.svg import Axis, Plot, around
from zoo.site.pages.text import visible

DRAWN_AT_MOST = 240
"""Above so many files, only the line and the best of each model are drawn, and no dot that another one hides."""

_ACROSS, _DOWN = 0.5, 4.0
"""Dots that are nearer to each other than this, in % of the width and in px, hide each other."""

_HEIGHT = 420.0


@dataclass(frozen=True, eq=False)
class File:
    """A file that fits the device. speed in tokens per second; correct of total answers are right. An experimental one
    is never on the line."""

    model: str
    type: str
    url: str
    speed: float
    measured: bool
    correct: int
    total: int
    experimental: bool = False

    @functools.cached_property
    def percent(self) -> float:
        return 100 * self.correct / self.total

    @property
    def name(self) -> str:
        return f"{self.model} {self.type}"


def trade_off(device: str, found: Sequence[File], guessed_percent: float) -> Chart | None:
    """One line over all models. None with fewer files than a chart is for. guessed_percent: right by guessing."""
    if len(found) < FEWEST:
        return None
    sound = [one for one in found if not one.experimental]
    best = front(sound, lambda one: one.speed, lambda one: one.percent, (1, 1))
    on_line = frozenset(best)
    drawn = found if len(found) <= DRAWN_AT_MOST else _few(found, best)
    plot = Plot(
        Axis("tokens/s, log scale", *around([f.speed for f in drawn], log=True), log=True, better="more"),
        Axis("right answers in %", *_percents(drawn, guessed_percent), better="more"),
        _HEIGHT,
    )
    apart = drawn if drawn is found else _apart(drawn, on_line, plot)
    dots = [Dot(f.speed, f.percent, _said(f), f.name, f.url, f in on_line) for f in apart]
    title, words = f"Right answers against speed on {device}", _words(found, best, len(apart))
    picture = scatter(title, plot, dots, (guessed_percent, f"Guessing: {guessed_percent:.0f} % right"))
    listed = tuple((_said(file), file.url) for file in best)
    return Chart("trade-off", title, picture, as_csv(_rows(drawn, on_line)), words, listed)


def _few(found: Sequence[File], best: Sequence[File]) -> list[File]:
    """The line, and of each other model the file with the most right answers."""
    kept: dict[str, File] = {}
    for file in found:
        other = kept.get(file.model)
        if other is None or (file.percent, file.speed) > (other.percent, other.speed):
            kept[file.model] = file
    return sorted({*kept.values(), *best}, key=lambda f: (f.model, f.speed))


def _apart(drawn: Sequence[File], best: Set[File], plot: Plot) -> list[File]:
    """The line, and of the others that hide each other the one with the most right answers."""
    kept: dict[tuple[int, int], File] = {}
    for file in sorted(drawn, key=lambda f: (-f.percent, -f.speed)):
        if file not in best:
            place = round(plot.across(file.speed) / _ACROSS), round(plot.down(file.percent) / _DOWN)
            kept.setdefault(place, file)
    shown = best | set(kept.values())
    return [file for file in drawn if file in shown]


def _percents(drawn: Sequence[File], guessed: float) -> tuple[float, float]:
    low, high = around([*(file.percent for file in drawn), guessed], least=0)
    return low, min(high, 104.0)


def _said(file: File) -> str:
    low, high = guessing.wilson(file.correct, file.total)
    how = "measured" if file.measured else "predicted"
    experiment = ", an experiment" * file.experimental
    return (
        f"{visible(file.name)}: {file.correct:,} of {file.total:,} right ({100 * low:.0f}-{100 * high:.0f} %), {how} "
        f"{rate(file.speed)} tokens/s{experiment}"
    )


def _rows(drawn: Sequence[File], best: Set[File]) -> list[list[object]]:
    rows: list[list[object]] = [
        ["model", "type", "decode_tokens_per_second", "measured", "correct", "total", "on_the_line"]
    ]
    for f in drawn:
        measured, on_line = ("yes" if yes else "no" for yes in (f.measured, f in best))
        rows.append([f.model, f.type, f.speed, measured, f.correct, f.total, on_line])
    return rows


def _words(found: Sequence[File], best: Sequence[File], drawn: int) -> str:
    parts = [f"{_said(file)}" for file in best[:12]]
    models = len({file.model for file in found})
    few = "the best of each model, and no dot that another one hides"
    shown = f" Of {len(found):,} files, {drawn:,} are drawn: {few}." if drawn < len(found) else ""
    more = f"; and {len(best) - 12} more" if len(best) > 12 else ""
    return f"{len(found):,} files of {models:,} models. On the line: {'; '.join(parts)}{more}.{shown}"
