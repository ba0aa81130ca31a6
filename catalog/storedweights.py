"""Which teachers can be used as they are stored."""

from __future__ import annotations

from collections.abc import Iterator

from catalog import sources
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document

_PATH = ("teacher", "dtype")


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """A teacher without weight files of its own, whose format is to be kept. Tolerates any shape."""
    teacher = data.get("teacher")
    uri = teacher.get("source") if isinstance(teacher, dict) and teacher.get("dtype") else None
    if not isinstance(uri, str):
        return
    if sources.is_served(uri):
        yield document.problem(_PATH, "nobody here sees the weights of a server", "Delete this line")
    elif uri.endswith(".gguf"):
        what = "a GGUF file has no weights that transformers can use as they are"
        yield document.problem(_PATH, what, "Delete this line, or name a model folder")
