"""Which of two figures is better, and whether the difference is more than chance. Pure.

``site/assets/compare.js`` has the same rules, and a test compares the two.

Figures whose 95 % intervals overlap count as equal. Two files that answered the same questions are compared question by
question: only those count that one of them answered right and the other wrong (McNemar's exact test). That finds
differences that intervals alone would hide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zoo.site.pages.compare.figures import Comparable, Figure, Side

CHANCE = 0.05
"""A difference counts if chance alone makes one as large in at most this share of cases."""

EQUAL = "No clear difference"
OTHER_SCOPE = "Not comparable: each is measured against its own original"


@dataclass(frozen=True)
class Row:
    """A figure of both files; a or b is empty if only one has it. better: "a", "b" or ""."""

    label: str
    a: str
    b: str
    words: str
    better: str


def rows(a: Side, b: Side, a_items: Mapping[str, str], b_items: Mapping[str, str]) -> Iterator[Row]:
    """Every figure that one of the files has, those of ``a`` first."""
    theirs = {one["key"]: one for one in b["figures"]}
    for one in a["figures"]:
        other = theirs.pop(one["key"], None)
        if other is None:
            yield Row(one["label"], one["text"], "", "", "")
            continue
        key = one["key"].removeprefix("probe:")
        same = key in a_items and a_items.get(key) == b_items.get(key)
        pair = (a["right"].get(key, ""), b["right"].get(key, "")) if same else ("", "")
        better, words = judged(one, other, *pair)
        yield Row(one["label"], one["text"], other["text"], words, better)
    for other in theirs.values():
        yield Row(other["label"], "", other["text"], "", "")


def judged(a: Figure, b: Figure, a_right: str = "", b_right: str = "") -> tuple[str, str]:
    """("a", "b" or "", the difference in words). a_right and b_right: a sign for each of the same questions."""
    if a["scope"] != b["scope"]:
        return "", OTHER_SCOPE
    first = "a" if (a["value"] - b["value"]) * a["better"] > 0 else "b"
    if a["kind"] == "score" and a_right and len(a_right) == len(b_right):
        return _paired(a_right, b_right, first)
    if a["low"] <= b["high"] and b["low"] <= a["high"]:
        return "", EQUAL if a["value"] != b["value"] else "Equal"
    return first, _difference(a, b, first)


def by_chance(one: int, other: int) -> float:
    """How likely chance alone splits as many questions as unevenly: McNemar's exact test, two-sided."""
    number = one + other
    tail = sum(math.comb(number, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / float(2**number))


def _paired(a_right: str, b_right: str, first: str) -> tuple[str, str]:
    pairs = list(zip(a_right, b_right, strict=True))
    only_a, only_b = pairs.count(("1", "0")), pairs.count(("0", "1"))
    if only_a + only_b == 0:
        return "", "The same questions right"
    words = f"only the first right: {only_a}, only the second: {only_b}"
    if by_chance(only_a, only_b) > CHANCE:
        return "", f"{EQUAL} ({words})"
    return first, words[0].upper() + words[1:]


def _difference(a: Figure, b: Figure, first: str) -> str:
    better, worse = (a, b) if first == "a" else (b, a)
    which = {"a": "First", "b": "Second"}[first]
    if a["kind"] == "size":
        return f"{which}: {_whole(100 * (1 - better['value'] / worse['value']))} % less"
    if a["kind"] == "speed":
        return f"{which}: {_whole(100 * (better['value'] / worse['value'] - 1))} % faster"
    gap = abs(a["value"] - b["value"])
    error = math.hypot(*((one["high"] - one["low"]) / 4 for one in (a, b)))
    if a["kind"] == "kld":
        return f"{which}: {gap:.4f} ± {error:.4f} lower"
    return f"{which}: {100 * gap:.1f} ± {100 * error:.1f} points higher"


def _whole(value: float) -> int:
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class Said:
    """A question that both answered: (answer, whether it is right) of each."""

    question: str
    a: tuple[str, bool]
    b: tuple[str, bool]


def samples(a: Comparable, a_type: str, b: Comparable, b_type: str) -> list[Said]:
    """The sample questions that both files answered."""
    theirs = {one["id"]: one["answers"] for one in b["samples"]}
    return [
        Said(one["question"], one["answers"][a_type], theirs[one["id"]][b_type])
        for one in a["samples"]
        if a_type in one["answers"] and b_type in theirs.get(one["id"], {})
    ]
