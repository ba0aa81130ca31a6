"""How fast a model's files were over time."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.history import FIGURES, Figure, History
from catalog.words import counted
from zoo.history import store, tracks, views
from zoo.history.tracks import SHORT, Track
from zoo.views import outline
from zoo.views.asked import Asked
from zoo.views.screen import Screen, spark

NEWEST = 60
"""Runs of a track that its line of bars shows."""


def screen(name: str, history: History, found: Sequence[Track]) -> Screen:
    """Trend lines first, then the same text as ``zoo bench history``."""
    parts = [_trends(found)] if found else []
    if history.aside:
        one, several = "line of the history is set aside: it", "lines of the history are set aside: they"
        parts.append(f"{counted(len(history.aside), one, several)} cannot be read.")
    parts.append(views.as_text(name, history, found))
    commands = (f"zoo bench history {name}", f"zoo bench history {name} --csv", "zoo bench import FILE")
    return Screen(f"Speed of {name} over time", tuple(parts), commands)


def _trends(found: Sequence[Track]) -> str:
    lines = ["Oldest run on the left. x: a run that is not valid. |: not comparable with the runs before."]
    for track in found:
        lines.append(f"{track.type} on {track.device}, {track.setting}")
        lines += [f"  {SHORT[figure]:6} {_bars(track, figure)}" for figure in FIGURES]
    return "\n".join(lines)


def _bars(track: Track, figure: Figure) -> str:
    """Bars of one series have one scale; the next series, behind a line, has its own."""
    made = [
        spark([point.run.median(figure) if point.run.valid else None for point in series.points])
        for series in track.series
    ]
    return "|".join(made)[-NEWEST:]


def look(asked: Asked) -> Screen:
    """The history of a model. Raises InputError for an unknown one, ZooError for a history that is too large."""
    settings = asked.settings
    model = outline.model(settings, asked.name)
    found = store.read(settings.evidence, model)
    return screen(model.name, found, tracks.tracks(found))
