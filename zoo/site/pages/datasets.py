"""A page for the dataset of each release that has one: how many rows, which languages, what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict

from catalog import checks, jsontext
from catalog.jsontext import LARGEST
from catalog.release import Model, Release
from catalog.shapes import shaped
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Kind, Made, Site
from zoo.site.pages.page import Page, TocEntry, fill

REPORT = "dataset-report.json"
"""The evidence file that ``zoo.corpora.distributions`` makes; releases made before it have none."""

_CONTENTS = (
    TocEntry("What is in it", "contents"),
    TocEntry("Languages and dialects", "languages"),
    TocEntry("Distributions", "distributions"),
    TocEntry("Redaction", "redaction"),
    TocEntry("Sources and licences", "sources"),
    TocEntry("Limits", "limits"),
)


def dataset_page(model: Model, release: Release, evidence: Evidence) -> Page:
    """The page; it names figures that are not in the evidence as missing."""
    report = _report(evidence(release.version, REPORT))
    recipe = checks.recorded_recipe(release.recipe.text, release.recipe.file)
    html = fill(
        "dataset.html", model=model, release=release, report=report, root="../../../../", recipe=recipe,
        redact=recipe.label.redact if recipe and recipe.label else None,
    )  # fmt: skip
    words = f"The prompts and answers that {model.name} {release.version} was trained on."
    return Page(f"Dataset of {model.name} {release.version}", words, html, _CONTENTS)


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    files = {}
    for release in model.releases:
        if release.dataset:
            path = f"models/{model.name}/{release.version}/dataset/"
            files[f"{path}index.html"] = framed(dataset_page(model, release, evidence), path, site)
    return Made(files)


class _Split(TypedDict):
    name: str
    rows: int
    json_rows: int
    tags: dict[str, int]
    languages: NotRequired[dict[str, int]]
    finish: dict[str, int]
    characters: dict[str, dict[str, int]]


class _Report(TypedDict):
    """What a page shows of the report; a template would fail on another form."""

    schema: Literal["dataset-report/1"]
    splits: list[_Split]
    redaction: NotRequired[object]


def _report(content: bytes | None) -> _Report | None:
    """The report, if the evidence holds one of the form that this program writes."""
    try:
        found = shaped(jsontext.parse(content or b"null"), _Report)
    except ValueError:
        return None
    for split in found["splits"]:
        split.setdefault("languages", {})  # releases made before it have none
    found.setdefault("redaction", None)
    return found if all(map(_is_count, _counts(found))) else None


def _counts(report: _Report) -> Iterator[int]:
    for split in report["splits"]:
        yield from (split["rows"], split["json_rows"])
        for found in (split["tags"], split.get("languages", {}), split["finish"], *split["characters"].values()):
            yield from found.values()


def _is_count(number: int) -> bool:
    """Whether it is a number of rows or characters, which a page can divide and show."""
    return 0 <= number <= LARGEST


KIND = Kind("datasets", _each)
