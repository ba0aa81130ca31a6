"""What a recipe may say about a teacher's weights: their format, and what computes with them."""

from __future__ import annotations

from collections.abc import Iterator

from catalog import sources
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """What does not go together with the teacher's source. Tolerates any shape."""
    teacher = data.get("teacher")
    uri = teacher.get("source") if isinstance(teacher, dict) else None
    if not isinstance(teacher, dict) or not isinstance(uri, str):
        return
    if sources.is_served(uri):
        for name in ("dtype", "engine"):
            if teacher.get(name):
                what = "nobody here sees the weights of a server"
                yield document.problem(("teacher", name), what, "Delete this line")
        return
    tune = teacher.get("tune")
    if teacher.get("engine") and isinstance(tune, dict) and tune.get("corpus") is None:
        what = "llama.cpp computes with the file that answers the prompts, not with the trained teacher"
        yield document.problem(("teacher", "engine"), what, "Delete this line, or the block `tune:`")
    if teacher.get("dtype") and _is_gguf(uri):
        what = "a GGUF file has no weights that transformers can use as they are"
        yield document.problem(("teacher", "dtype"), what, "Delete this line, or name a model folder")


def _is_gguf(uri: str) -> bool:
    try:
        return sources.is_gguf(uri)
    except sources.SourceSyntax:
        return False
