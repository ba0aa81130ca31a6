"""The forms that can be imported, one row each: a new form is a module and a row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalog.jsontext import JsonObject
from zoo.corpora import conversations, prompts
from zoo.corpora.imports import bfcl, hermes, openai, pairs
from zoo.corpora.imports.parts import Part
from zoo.corpora.records import Kind


@dataclass(frozen=True)
class Form:
    """made: the record of a line. kind: of these records."""

    made: Callable[[Part], JsonObject]
    kind: Kind


FORMS = {
    "openai": Form(openai.made, conversations.KIND),
    "hermes": Form(hermes.made, conversations.KIND),
    "bfcl": Form(bfcl.made, prompts.KIND),
    "pairs": Form(pairs.made, conversations.KIND),
}
