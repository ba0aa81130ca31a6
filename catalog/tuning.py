"""What a recipe may say about the training of its teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog import dataplaces, shell, sources
from catalog.corpusfiles import FileFacts
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.recipe import Recipe
from catalog.words import counted
from catalog.yamltext import Document

LEAST_HELDOUT = 2
"""Conversations: a standard error requires two."""

_PLACE = ("teacher", "tune")


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """Why a trained teacher would teach nobody. Tolerates any shape."""
    teacher, distill = data.get("teacher"), data.get("distill")
    tune = teacher.get("tune") if isinstance(teacher, dict) else None
    if not isinstance(teacher, dict) or not isinstance(tune, dict):
        return
    uri = teacher.get("source")
    if isinstance(uri, str) and sources.is_served(uri):
        what = "a teacher on a server cannot be trained, because its weights are not here"
        yield document.problem(_PLACE, what, "Delete this block, or use a teacher with weights", key=True)
    elif tune.get("corpus") is not None:
        # Such a teacher answers the prompts, whether a student learns from them or not.
        return
    elif not isinstance(distill, dict):
        what = "the trained teacher is not used: no student learns from its probabilities"
        instead = "Delete this block, add a `distill:` section, or train it on a `corpus:` before it answers"
        yield document.problem(_PLACE, what, instead, key=True)
    elif distill.get("method") == "labels":
        what = "the trained teacher is not used: with `method: labels` the student learns from the text alone"
        instead = (
            "Delete this block, write `method: logits` under `distill:`, or train it on a `corpus:` before it answers"
        )
        yield document.problem(_PLACE, what, instead, key=True)


def too_few(document: Document, recipe: Recipe, files: Mapping[str, FileFacts]) -> Iterator[Problem]:
    """Fewer held-out conversations than a standard error requires."""
    own = recipe.tune.corpus if recipe.tune else None
    found = sum(files[file.path].prompts for file in own.heldout) if own else LEAST_HELDOUT
    if found < LEAST_HELDOUT:
        what = f"the teacher is measured on held-out conversations, but {counted(found, 'conversation')} is too few: a "
        place = dataplaces.PLACES["tune.heldout"]
        yield document.problem(place, f"{what}standard error requires two", "Add conversations to a file here")


def hints(document: Document) -> Iterator[Problem]:
    """What is not redacted although the recipe asks for redacted answers. Tolerates any shape."""
    data = document.data if isinstance(document.data, dict) else {}
    label = data.get("label")
    if not isinstance(label, dict) or not label.get("redact"):
        return
    for part, place, entry in dataplaces.entries(data):
        if part.startswith("tune.") and isinstance(path := entry.get("path"), str):
            what = f"label.redact looks at prompts and the teacher's answers, not at {path}"
            instead = "If it may hold personal data, use a redacted copy: "
            instead += f"zoo corpus redact {shell.argument(path)} --out FOLDER"
            yield document.problem((*place, "path"), what, instead)
