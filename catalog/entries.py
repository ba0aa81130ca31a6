"""The catalog's text cut into models without parsing it, so that what did not change costs nothing to read.

Only the form that ``index.to_text`` writes can be cut: there, a line of four spaces and a brace begins or ends a model,
as everything deeper is indented more and no string holds a line break. A piece is still parsed and checked by
``index.parse`` before anything believes it.
"""

from __future__ import annotations

import re

from catalog import index
from catalog.release import Model

_HEAD = f'{{\n  "schema": "{index.SCHEMA}",\n  "models": [\n    {{\n'
_BETWEEN = "\n    },\n    {\n"
_NAME = re.compile(r'\s*"name": "([^"\\]*)"')
_TAIL = "\n    }\n  ]\n}\n"


def split(text: str) -> list[str] | None:
    """The text of each model, as ``model`` takes it; None for a text of another form, or without a model."""
    if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        return None
    return text[len(_HEAD) : -len(_TAIL)].split(_BETWEEN)


def name(piece: str) -> str:
    """The name of the model of one piece; empty if it does not begin with one."""
    found = _NAME.match(piece)
    return found[1] if found else ""


def model(piece: str) -> Model | None:
    """The model of one piece; None if it is not one sound model, and then the whole text has to be looked at."""
    catalog, problems = index.parse(f'{{"schema": "{index.SCHEMA}", "models": [{{{piece}}}]}}', "")
    return catalog.models[0] if not problems and len(catalog.models) == 1 else None
