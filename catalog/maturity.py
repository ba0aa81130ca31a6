"""How mature a model is, in a recipe's own word, and what is worth a look about that word. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.problems import Problem
    from catalog.yamltext import Document

EXPERIMENTAL, USABLE, RECOMMENDED = "experimental", "usable", "recommended"

EXPERIMENTAL_WORDS = "Its owners publish this model as an experiment. It is kept out of every recommendation."


def hints(document: Document) -> Iterator[Problem]:
    """What contradicts the word, a recipe without it, and one that names no weakness."""
    data = document.data if isinstance(document.data, dict) else {}
    word = data.get("maturity")
    if word is None and "name" in data:
        yield document.problem(
            ("name",),
            "the recipe does not say how mature the model is, so it counts as usable and may be recommended",
            "Add maturity: experimental, usable or recommended",
        )
    if "name" in data and not data.get("bad_at"):
        place = "bad_at" if "bad_at" in data else "name"
        what = "the recipe names nothing that the model is bad at, and people choose by it"
        yield document.problem((place,), what, "Say under bad_at what you saw fail, or what nobody tried")
    if word == RECOMMENDED and data.get("probes") == []:
        what = "a recommended model without task probes, so nothing shows that it is good"
        yield document.problem(("maturity",), what, "Remove `probes: []`, or write maturity: usable")
    if word == RECOMMENDED and not data.get("gates"):
        what = "a recommended model without gates, so a bad build would be recommended too"
        yield document.problem(("maturity",), what, "Add gates, or write maturity: usable")
