"""The charts of a model, for its page, and the page that compares all models. Each has its sentences and its CSV."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypedDict

from markupsafe import Markup

from catalog import jsontext
from catalog.release import Model, Release
from catalog.shapes import shaped
from zoo.site.pages import charts
from zoo.site.pages.charts import Chart, Point
from zoo.site.pages.charts.runs import Bench
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Models, Site
from zoo.site.pages.page import Page, fill

DRAWN_MODELS = 40
"""Models in the charts of all models: the ones released last. The CSV files hold every model."""

_PATH = "pictures/"
_DESCRIPTION = "Loss against size and against measured speed of every file, with the data as CSV."


class _Distilled(TypedDict):
    """What is drawn of the report of a training."""

    loss_curve: list[dict[str, float]]


def of_release(model: Model, release: Release, evidence: Evidence) -> list[Chart]:
    """The charts of one release for which its evidence has data."""
    found = charts.points([dataclasses.replace(model, releases=(release,), yanks=())])

    def training() -> Chart | None:
        report = shaped(jsontext.parse(evidence(release.version, "distill-report.json") or b"null"), _Distilled)
        return charts.training_loss(report["loss_curve"])

    reports: dict[str, Bench] = {}
    for file in release.files:
        for speed in file.speeds:
            content = evidence(release.version, speed.evidence)
            if report := _parsed(content):
                label = file.type if len(file.speeds) == 1 else f"{file.type}, {speed.device}"
                reports[label] = report
    every = [
        charts.loss_by_size(found),
        charts.loss_by_speed(found),
        _drawn(training),
        _drawn(lambda: charts.decode_samples(reports)),
    ]
    return [chart for chart in every if chart]


def figures(drawn: Sequence[Chart], folder: str) -> Markup:
    """The HTML of charts with their CSV files in ``folder``, as seen from the page."""
    return Markup(fill("figures.html", charts=drawn, folder=folder))


def files(drawn: Sequence[Chart], folder: str) -> dict[str, str | bytes]:
    """The CSV files of charts by path on the site."""
    return {f"{folder}{chart.id}.csv": chart.csv for chart in drawn}


def _drawn(draw: Callable[[], Chart | None]) -> Chart | None:
    """None for evidence that is missing or of a form that this program does not write: such figures have no chart."""
    try:
        return draw()
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None


def _parsed(content: bytes | None) -> Bench | None:
    try:
        return shaped(jsontext.parse(content or b"null"), Bench)
    except ValueError:
        return None


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site, evidence
    date = model.preferred()[0].date
    return Made({}, {"date": date, "points": [dataclasses.asdict(p) for p in charts.points([model])]})


def _whole(facts: Sequence[Facts], site: Site, models: Models) -> Files:
    del models
    mine = [fact["pictures"] for fact in facts]
    every = [Point(**point) for one in mine for point in one["points"]]
    last = sorted((one for one in mine if one["points"]), key=lambda one: str(one["date"]), reverse=True)
    shown = [Point(**point) for one in last[:DRAWN_MODELS] for point in one["points"]]
    drawn = [chart for chart in (charts.loss_by_size(shown), charts.loss_by_speed(shown)) if chart]
    tables = charts.tables(every)
    made: dict[str, str | bytes] = {f"{_PATH}{chart.id}.csv": tables[chart.id] for chart in drawn}
    left_out = max(0, len(last) - DRAWN_MODELS)
    html = fill("pictures.html", figures=figures(drawn, ""), drawn=bool(drawn), left_out=left_out)
    made[f"{_PATH}index.html"] = framed(Page("Charts", _DESCRIPTION, html, ()), _PATH, site)
    return made


KIND = Kind("pictures", _each, _whole)
