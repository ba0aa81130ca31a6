"""Placeholder text of a new recipe. Pure.

That of the summary passes the checks, so that a model can be built before it is described; it is not published. That of
a licence does not pass: nobody can guess which one the weights have.
"""

from __future__ import annotations

from catalog.problems import Problem
from catalog.yamltext import Document

SUMMARY = "Write one or two sentences about what this model is."
LICENCE = "Write the licence of the weights"
"""Where the source states no licence. It is not a valid SPDX expression."""


def is_summary(text: str) -> bool:
    """Whether a summary is still the placeholder, however its line is broken."""
    return " ".join(text.split()) == SUMMARY


def hints(document: Document) -> tuple[Problem, ...]:
    """The places of a recipe that still have placeholder text."""
    data = document.data if isinstance(document.data, dict) else {}
    summary = data.get("summary")
    if not isinstance(summary, str) or not is_summary(summary):
        return ()
    what = "this is placeholder text, which would become the description on the card and the pages"
    return (document.problem(("summary",), what, "Write what the model is, in one or two sentences"),)
