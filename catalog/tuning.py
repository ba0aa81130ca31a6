"""What a recipe may say about the training of its teacher."""

from __future__ import annotations

from collections.abc import Iterator

from catalog import sources
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """Why a trained teacher would teach nobody. Tolerates any shape."""
    teacher, distill = data.get("teacher"), data.get("distill")
    if not isinstance(teacher, dict) or not isinstance(teacher.get("tune"), dict):
        return
    uri, place = teacher.get("source"), ("teacher", "tune")
    if isinstance(uri, str) and sources.is_served(uri):
        what = "a teacher on a server cannot be trained, because its weights are not here"
        yield document.problem(place, what, "Delete this block, or use a teacher with weights", key=True)
    elif not isinstance(distill, dict):
        what = "the trained teacher is not used: no student learns from its probabilities"
        yield document.problem(place, what, "Delete this block, or add a `distill:` section", key=True)
    elif distill.get("method") == "labels":
        what = "the trained teacher is not used: with `method: labels` the student learns from the text alone"
        yield document.problem(place, what, "Delete this block, or write `method: logits` under `distill:`", key=True)
