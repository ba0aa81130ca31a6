"""The task probes: scores with their intervals, and questions with the answers of every file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from markupsafe import Markup

from catalog import jsontext
from catalog.release import Release
from catalog.shapes import shaped
from zoo.site.pages.charts.svg import LEFT, RIGHT, TOP, Axis, Plot, axes, dot, short, svg, text
from zoo.site.pages.text import shortened, visible

QUESTIONS = 6
"""Questions of each probe that a page shows; the file has them all."""
_LONGEST = 300
_STRIP = 26.0


class _Answer(TypedDict):
    answer: str
    correct: bool


class _Item(TypedDict):
    id: str
    prompt: NotRequired[str]
    expected: NotRequired[str]
    good: NotRequired[str]
    bad: NotRequired[str]
    answers: dict[str, _Answer]


class _Score(TypedDict):
    correct: int
    total: int
    share_low: float
    share_high: float


class _Probe(TypedDict):
    probe: str
    title: str
    asks: str
    scores: dict[str, _Score]
    items: list[_Item]


class _Probes(TypedDict):
    probes: list[_Probe]


@dataclass(frozen=True)
class Question:
    """question and right are texts of the probe; answers: (type, answer, whether it is right)."""

    question: str
    right: str
    answers: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class Shown:
    """A probe. chart: the scores of every file; more: questions that only the file has."""

    id: str
    title: str
    asks: str
    chart: Markup
    questions: tuple[Question, ...]
    more: int


def read(release: Release, content: bytes) -> list[Shown] | None:
    """What the page shows; None for content of another form."""
    del release
    try:
        found = shaped(jsontext.parse(content or b"null"), _Probes)["probes"]
    except ValueError:
        return None
    return [_shown(place, one) for place, one in enumerate(found)]


def _shown(place: int, one: _Probe) -> Shown:
    shown = tuple(_question(item) for item in _first(one["items"]))
    title = shortened(visible(one["title"]), 100)
    return Shown(f"probe-{place + 1}", title, shortened(one["asks"], _LONGEST), _chart(title, one["scores"]), shown,
                 len(one["items"]) - len(shown))  # fmt: skip


def _first(items: Sequence[_Item]) -> list[_Item]:
    """Questions on which files differ come first; otherwise the order is that of a digest, which nobody chooses."""
    return sorted(items, key=lambda item: (_agreed(item), hashlib.sha256(item["id"].encode()).digest()))[:QUESTIONS]


def _agreed(item: _Item) -> bool:
    return len({answer["correct"] for answer in item["answers"].values()}) < 2


def _question(item: _Item) -> Question:
    answers = tuple(
        (shortened(type_, 40), shortened(visible(one["answer"]), _LONGEST), one["correct"])
        for type_, one in item["answers"].items()
    )
    if "good" in item and "bad" in item:
        return Question(f"{_short(item['good'])} / {_short(item['bad'])}", _short(item["good"]), answers)
    return Question(_short(item.get("prompt", "")), _short(item.get("expected", "")), answers)


def _short(words: str) -> str:
    return shortened(visible(words), _LONGEST)


def _chart(title: str, scores: dict[str, _Score]) -> Markup:
    """A strip for each file: its share of right answers, with the 95 % interval."""
    known = {type_: one for type_, one in scores.items() if 0 <= one["correct"] <= one["total"] and one["total"]}
    height = TOP + _STRIP * len(known) + 46
    plot = Plot(Axis("right answers in %", 0, 100, better="more"), None, height)
    parts, words = [axes(plot)], []
    for place, (type_, one) in enumerate(known.items()):
        y = TOP + _STRIP * (place + 0.5)
        low, high = (LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, one[end])) for end in ("share_low", "share_high"))
        said = f"{type_}: {one['correct']:,} of {one['total']:,}"
        parts.append(text("0", y + 4, shortened(visible(type_), 8)))
        parts.append(f'<line class="range" x1="{short(low)}%" x2="{short(high)}%" y1="{short(y)}" y2="{short(y)}"/>')
        share = 100 * one["correct"] / one["total"]
        parts.append(f'<g class="best">{dot(plot.across(share), y, said)}</g>')
        words.append(said)
    return svg(f"{title}: right answers of every file", "; ".join(words), height, parts)
