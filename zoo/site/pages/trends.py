"""Speed over time on the page of a model: charts of its history, with the figures of ``zoo bench history``."""

from __future__ import annotations

from dataclasses import replace

from catalog import history as formats
from catalog import jsontext
from catalog.history import History, Run
from catalog.release import Model
from zoo.history import store, tracks
from zoo.history.tracks import Track
from zoo.site.pages.charts import Chart, trend
from zoo.site.pages.kinds import Evidence

LEAST_RUNS = 3
"""With fewer valid runs nothing is a trend."""
MOST_CHARTS = 4
"""On a page: those with the newest runs."""


def of_model(model: Model, evidence: Evidence) -> list[Chart]:
    """Charts of decode speed, one for a type on a device; none without a history. evidence: the history is that of
    version ""."""
    raw = evidence("", formats.FILE)
    measured = max((len(file.speeds) for release in model.releases for file in release.files), default=0)
    if not raw and measured < LEAST_RUNS:
        return []
    kept = History(tuple(_kept(model, evidence)), ())
    found = tracks.tracks(store.of_model(formats.joined([formats.parse(raw or b""), kept]), model))
    worth = [one for one in found if sum(point.run.valid for point in one.points) >= LEAST_RUNS]
    worth.sort(key=lambda one: max(point.run.at_utc for point in one.points), reverse=True)
    return [_numbered(one, number) for number, one in enumerate(worth[:MOST_CHARTS], 1)]


def _numbered(track: Track, number: int) -> Chart:
    chart = trend.trend(track, "decode_tokens_per_second")
    return replace(chart, id=f"speed-over-time-{number}", title=f"{chart.title}, over time")


def _kept(model: Model, evidence: Evidence) -> list[Run]:
    """The runs whose reports are evidence of a release."""
    found = []
    for release in model.releases:
        for path in sorted({speed.evidence for file in release.files for speed in file.speeds}):
            try:
                found.append(formats.of_report(jsontext.parse(evidence(release.version, path) or b"null")))
            except ValueError:
                continue  # such a report has no chart of its samples either
    return found
