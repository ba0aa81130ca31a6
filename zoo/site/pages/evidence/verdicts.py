"""Gates and the smoke test: what was required, and what was found."""

from __future__ import annotations

from typing import TypedDict

from catalog import jsontext
from catalog.metrics import METRICS
from catalog.release import Release
from catalog.shapes import shaped
from zoo.site.pages.text import shortened, visible

_LONGEST = 500
_MOST = 400
"""Rows of a page."""


class Gate(TypedDict):
    """A verdict of gates.json."""

    metric: str
    file: str | None
    measured: float | None
    judged: float | None
    bound: float
    kept: bool
    sentence: str


class _Check(TypedDict):
    passed: bool
    detail: str


class _Said(TypedDict):
    prompt: str
    text: str
    finish: str


class Tested(TypedDict):
    """A file of smoke.json."""

    passed: bool
    checks: dict[str, _Check]
    answers: list[_Said]


CHECKS = {
    "chat_template": "The prompt keeps what the user says",
    "stops": "An answer ends by itself, or a text is continued",
    "json": "An answer can be forced into a JSON Schema",
}


def gates(release: Release, content: bytes) -> list[tuple[str, Gate]] | None:
    """(what the figure is, verdict) of each gate."""
    del release
    try:
        found = shaped(jsontext.parse(content or b"null"), list[Gate])
    except ValueError:
        return None
    return [(_figure(one["metric"]), one) for one in found[:_MOST]]


def smoke(release: Release, content: bytes) -> list[tuple[str, Tested]] | None:
    """(type, its checks and answers) in the order of the files."""
    try:
        found = shaped(jsontext.parse(content or b"null"), dict[str, Tested])
    except ValueError:
        return None
    order = {file.type: place for place, file in enumerate(release.files)}
    known = sorted(found.items(), key=lambda pair: order.get(pair[0], _MOST))[:_MOST]
    return [(type_, _tested(one)) for type_, one in known]


def _figure(name: str) -> str:
    metric = METRICS.get(name)
    return metric.words if metric else name


def _tested(one: Tested) -> Tested:
    """With the names of the checks in words, and no text longer than a page shows."""
    checks: dict[str, _Check] = {
        CHECKS.get(name, name): {**check, "detail": shortened(visible(check["detail"]), _LONGEST)}
        for name, check in one["checks"].items()
    }
    answers: list[_Said] = [
        {"prompt": shortened(visible(a["prompt"]), _LONGEST), "text": shortened(visible(a["text"]), _LONGEST),
         "finish": a["finish"]}
        for a in one["answers"]
    ]  # fmt: skip
    return {"passed": one["passed"], "checks": checks, "answers": answers}
