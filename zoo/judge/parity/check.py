"""The result of one check, and where two sequences start to differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Check:
    """passed, and a sentence: what was compared, or the first difference and where it is.

    note: of a check that passed, a difference that comes from llama.cpp and does no harm to ordinary text, in words for
    the model's card; "" if there is none. figures: what was measured, for the evidence. finite: false if the worst
    difference is infinite.
    """

    name: str
    passed: bool
    detail: str
    note: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)
    finite: bool = True

    def outcome(self, allowed: bool) -> str:
        """ "passed", "reported" (passed with a note), "allowed" (by the recipe) or "refused"."""
        if self.passed:
            return "reported" if self.note else "passed"
        return "allowed" if allowed else "refused"


MOST_LETTERS = 2000
"""Longest sentence that the schema of the catalog takes."""


def known_differences(entries: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """A sentence for each check of ``parity.json`` that is "reported", or "allowed" by the recipe; in their order."""
    found = []
    for entry in entries:
        if entry["outcome"] == "allowed":
            found.append(f"The recipe allows a difference in the check {entry['name']}. {entry['detail']}")
        elif note := entry.get("note"):
            found.append(str(note))
    return tuple(one if len(one) <= MOST_LETTERS else f"{one[: MOST_LETTERS - 3]}..." for one in found)


def first_difference(one: Sequence[int], other: Sequence[int]) -> int | None:
    """The place where two sequences start to differ, None if they are equal."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return None if len(one) == len(other) else min(len(one), len(other))
