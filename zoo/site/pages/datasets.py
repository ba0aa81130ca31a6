"""A page for the dataset of each release that has one: how many rows, which languages, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog import jsontext
from catalog.jsontext import LARGEST
from catalog.release import Model, Release
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
    html = fill("dataset.html", model=model, release=release, report=report, root="../../../../")
    words = f"The prompts and answers that {model.name} {release.version} was trained on."
    return Page(f"Dataset of {model.name} {release.version}", words, html, _CONTENTS)


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    files = {}
    for release in model.releases:
        if release.dataset:
            path = f"models/{model.name}/{release.version}/dataset/"
            files[f"{path}index.html"] = framed(dataset_page(model, release, evidence), path, site)
    return Made(files)


def _report(content: bytes | None) -> Mapping[str, Any] | None:
    """The report, if the evidence holds one of the form that this program writes."""
    try:
        data = jsontext.parse(content or b"null")
        if data is None or data["schema"] != "dataset-report/1":
            return None
        splits = [_split(split) for split in data["splits"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return {"splits": splits, "redaction": data.get("redaction")}


def _split(split: Mapping[str, Any]) -> dict[str, Any]:
    """Checked while copied, because a template would fail on another form."""
    return {
        "name": str(split["name"]),
        "rows": _count(split["rows"]),
        "json_rows": _count(split["json_rows"]),
        "tags": {str(tag): _count(number) for tag, number in split["tags"].items()},
        "languages": {str(name): _count(number) for name, number in split.get("languages", {}).items()},
        "finish": {str(word): _count(number) for word, number in split["finish"].items()},
        "characters": {
            str(role): {str(name): _count(value) for name, value in lengths.items()}
            for role, lengths in split["characters"].items()
        },
    }


def _count(value: Any) -> int:
    """A number of rows or characters, which a page can divide and show. Raises ValueError, TypeError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a count")
    if not 0 <= value <= LARGEST:
        raise ValueError("not a count")
    return value


KIND = Kind("datasets", _each)
