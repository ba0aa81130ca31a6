"""A history as data, as a table for spreadsheets and as text: the same facts in three forms. Pure."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterator, Sequence
from typing import TypedDict

from catalog.history import FIGURES, Ack, Figure, History
from catalog.words import counted, rate
from zoo.history import tracks as tracks_room
from zoo.history.changes import Change
from zoo.history.rule import Band, State
from zoo.history.tracks import SHORT, UNIT, Alarm, Point, Series, Track

SHOWN = 12
"""Newest runs of a track that the text lists; the other forms have all."""


class _Band(TypedDict):
    low: float
    median: float
    high: float
    runs: int


class _Figure(TypedDict):
    median: float
    lower_quartile: float | None
    upper_quartile: float | None
    samples: list[float]
    state: str
    band: _Band | None


def as_data(model: str, history: History, tracks: Sequence[Track]) -> dict[str, object]:
    """Everything, for programs."""
    return {
        "model": model,
        "tracks": [_track(track) for track in tracks],
        "acknowledged": [vars(ack) for ack in history.acks],
        "set_aside": [{"line": one.number, "why": one.why} for one in history.aside],
    }


def _track(track: Track) -> dict[str, object]:
    return {
        "type": track.type,
        "device": track.device,
        "setting": track.setting,
        "series": [_series(one) for one in track.series],
        "alarms": [_alarm(one) for one in tracks_room.alarms(track)],
        "measure_again": list(tracks_room.suspects(track)),
    }


def _series(series: Series) -> dict[str, object]:
    return {
        "key": series.key,
        "broke": list(series.broke),
        "runs": [_point(point) for point in series.points],
        "changes": {figure: [_change(one, series) for one in series.changes[figure]] for figure in FIGURES},
    }


def _point(point: Point) -> dict[str, object]:
    run = point.run
    return {
        "id": run.id, "measured_at_utc": run.at_utc, "version": run.version, "commit": run.commit,
        "file_sha256": run.sha256, "valid": run.valid, "reasons": list(run.reasons), "answers_right": run.right,
        "series": dict(run.series), **{figure: figure_of(point, figure) for figure in FIGURES},
    }  # fmt: skip


def figure_of(point: Point, figure: Figure) -> _Figure:
    """One figure of one run."""
    samples = list(point.run.samples[figure])
    lower, upper = None, None
    if len(samples) > 1:
        lower, _, upper = statistics.quantiles(samples, n=4, method="inclusive")
    band = point.judged[figure].band if point.run.valid else None
    return {
        "median": statistics.median(samples), "lower_quartile": lower, "upper_quartile": upper, "samples": samples,
        "state": point.state(figure), "band": _band(band) if band else None,
    }  # fmt: skip


def _band(band: Band) -> _Band:
    return {"low": band.low, "median": band.median, "high": band.high, "runs": band.runs}


def _change(change: Change, series: Series) -> dict[str, object]:
    run = series.valid[change.place].run
    return {
        "run": run.id, "measured_at_utc": run.at_utc, "commit": run.commit,
        "before": change.before, "after": change.after, "share": change.share,
    }  # fmt: skip


def _alarm(alarm: Alarm) -> dict[str, object]:
    return {
        "figure": alarm.figure, "run": alarm.run.id, "since_utc": alarm.run.at_utc, "commit": alarm.run.commit,
        "share": alarm.share,
    }  # fmt: skip


_FIRST = (
    "type", "device", "setting", "series", "run", "measured_at_utc", "version", "commit", "file_sha256", "valid",
    "reasons",
)  # fmt: skip


def as_csv(tracks: Sequence[Track]) -> str:
    """One row for each run; samples are separated by spaces."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    of_figure = ("median", "samples", "state", "band_low", "band_median", "band_high")
    table.writerow([*_FIRST, *(f"{figure}_{name}" for figure in FIGURES for name in of_figure)])
    for track in tracks:
        for series in track.series:
            for point in series.points:
                table.writerow([_cell(one) for one in _row(track, series, point)])
    return text.getvalue()


def _row(track: Track, series: Series, point: Point) -> Iterator[object]:
    run = point.run
    yield from (track.type, track.device, track.setting, series.key, run.id, run.at_utc, run.version, run.commit)
    yield from (run.sha256, str(run.valid).lower(), "; ".join(run.reasons))
    for figure in FIGURES:
        one = figure_of(point, figure)
        band = one["band"]
        yield from (one["median"], " ".join(map(str, one["samples"])), one["state"])
        yield from (band["low"], band["median"], band["high"]) if band else (None, None, None)


def _cell(value: object) -> object:
    """Text that a spreadsheet would read as a formula gets an apostrophe before it (OWASP, CSV injection)."""
    is_formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if is_formula else value


def as_text(model: str, history: History, tracks: Sequence[Track]) -> str:
    """For people: each track with its newest runs, alarms first."""
    if not tracks:
        return (
            f"No measurement of {model} is known yet. Import one with: zoo bench import FILE\n"
            "A report comes from: pi-zoo bench NAME --out reports"
        )
    lines = [line for track in tracks for line in (*_head(model, track), *_table(track), "")]
    lines += [_acknowledged(ack) for ack in history.acks]
    return "\n".join(lines).rstrip("\n")


def _head(model: str, track: Track) -> Iterator[str]:
    points = track.points
    broken = sum(not point.run.valid for point in points)
    kept = f", {broken} of them not valid" if broken else ""
    yield f"{track.type} on {track.device}, {track.setting}: {counted(len(points), 'run')}{kept}"
    for alarm in tracks_room.alarms(track):
        yield f"  ALARM: {alarm_words(alarm)}"
        yield f"  Accept it with: zoo bench ack {model} --run {alarm.run.id} --by YOU --reason WHY"
    for figure in tracks_room.suspects(track):
        yield f"  The newest run has a lower {SHORT[figure]} speed than usual. Measure again: one more decides."


def alarm_words(alarm: Alarm) -> str:
    """``decode is 12 % slower than usual since 2026-11-02 (commit 1234567)``."""
    at = f" (commit {alarm.run.commit[:12]})" if alarm.run.commit else ""
    return f"{SHORT[alarm.figure]} is {-alarm.share:.0%} slower than usual since {alarm.run.at_utc[:10]}{at}"


def _table(track: Track) -> Iterator[str]:
    for series in track.series:
        if series.broke:
            yield f"  -- not comparable with the runs before: {'; '.join(series.broke)}"
        points = series.points if series is track.series[-1] else ()
        if len(points) < len(series.points) or len(points) > SHOWN:
            yield f"  {_summary(series.points[: len(series.points) - min(len(points), SHOWN)])}"
        yield from (f"  {_line(point)}" for point in points[-SHOWN:])
        for figure in FIGURES:
            for change in series.changes[figure]:
                run = series.valid[change.place].run
                at = f", commit {run.commit[:12]}" if run.commit else ""
                speeds = f"from {rate(change.before)} to {rate(change.after)} {UNIT}"
                yield f"  {SHORT[figure]} changed {speeds} ({change.share:+.0%}) with the run of {run.at_utc[:10]}{at}"


def _summary(points: Sequence[Point]) -> str:
    first, last = points[0].run.at_utc[:10], points[-1].run.at_utc[:10]
    valid = [point.run for point in points if point.run.valid]
    speeds = ", ".join(
        f"{SHORT[figure]} {rate(statistics.median(run.median(figure) for run in valid))} {UNIT}"
        for figure in FIGURES if valid
    )  # fmt: skip
    return f"{counted(len(points), 'earlier run')} of {first} to {last}: {speeds or 'none of them is valid'}"


def _line(point: Point) -> str:
    run = point.run
    parts = [f"{run.at_utc[:10]} {run.at_utc[11:16]}"]
    for figure in FIGURES:
        band = point.judged[figure].band if run.valid else None
        usual = f" (usual {rate(band.low)} to {rate(band.high)})" if band else ""
        parts.append(f"{SHORT[figure]} {rate(run.median(figure))} {UNIT}{usual}")
    if not run.valid:
        parts.append(f"NOT VALID: {'; '.join(run.reasons)}")
    else:
        parts += [f"{SHORT[figure]}: {_STATES[point.judged[figure].state]}" for figure in FIGURES
                  if point.judged[figure].state in _STATES]  # fmt: skip
        if {point.judged[figure].state for figure in FIGURES} == {"too few runs"}:
            parts.append("too few runs to say what is usual")
    return "  ".join(parts)


_STATES: dict[State, str] = {
    "suspect": "outside of what is usual, once",
    "worse": "WORSE",
    "better": "better, a new level",
    "accepted": "accepted",
}


def _acknowledged(ack: Ack) -> str:
    return f"Accepted on {ack.at_utc[:10]} by {ack.by}: {SHORT[ack.figure]} since run {ack.run}: {ack.reason}"
