"""Words that a new recipe begins with, so that it passes the checks, and that nobody should publish. Pure."""

from __future__ import annotations

from catalog.problems import Problem
from catalog.yamltext import Document

SUMMARY = "Write one or two sentences about what this model is."


def hints(document: Document) -> tuple[Problem, ...]:
    """The places of a recipe that still hold such words."""
    data = document.data if isinstance(document.data, dict) else {}
    summary = data.get("summary")
    if not isinstance(summary, str) or " ".join(summary.split()) != SUMMARY:
        return ()
    what = "this is the text of a new recipe, and it becomes the description on the card and the pages"
    return (document.problem(("summary",), what, "Write what the model is, in one or two sentences"),)
