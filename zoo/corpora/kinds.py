"""The kinds of records, one row each: a new kind is a schema, a module with its rules, and a row here."""

from __future__ import annotations

from catalog.jsontext import Json
from zoo.corpora import conversations, dialects, prompts, rows
from zoo.corpora.records import Kind

KINDS = {kind.name: kind for kind in (prompts.KIND, rows.KIND, conversations.KIND, dialects.KIND)}
"""By name. A row of a labelled corpus has messages too, so it is before the conversations."""


def kind_of(data: Json) -> Kind | None:
    """The first kind that has one of the keys of ``data``; None for what is of no kind."""
    if not isinstance(data, dict):
        return None
    return next((kind for kind in KINDS.values() if kind.marks & data.keys()), None)
