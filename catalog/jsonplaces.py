"""JSON text in which every key and value knows its line and column, as a recipe's do. Pure."""

from __future__ import annotations

import bisect
import itertools
import re

from catalog import jsontext
from catalog.jsontext import Json
from catalog.yamltext import Document, Path_, Place

MOST_TOKENS = 1_000_000
"""Of a larger file only the beginning gets places: all of them would take a minute for some megabytes of brackets."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


def document(text: str, shown_as: str, data: Json) -> Document:
    """``data``, which is what ``text`` says, with its places. ``text`` must be valid JSON; of a key that is written
    twice the last one counts. What comes after MOST_TOKENS has the place of what is around it."""
    text = text.removeprefix("\ufeff")
    found = Document(shown_as, data)
    lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(offset: int) -> Place:
        line = bisect.bisect_right(lines, offset)
        return line, offset - lines[line - 1] + 1

    path: list[str | int] = []
    is_object: list[bool] = []
    wants_key = False
    for match in itertools.islice(_TOKEN.finditer(text), MOST_TOKENS):
        token, at = match[0], place(match.start())
        if token in "]}":
            is_object.pop()
            path.pop()
        elif token == ",":
            wants_key = is_object[-1]
            if not wants_key:
                path[-1] = int(path[-1]) + 1
        elif token == ":":
            wants_key = False
        elif wants_key:
            path[-1] = str(jsontext.parse(token))
            found.key_places[_now(path)] = at
        else:
            found.value_places[_now(path)] = at
            if token in "[{":
                wants_key = token == "{"
                is_object.append(wants_key)
                path.append("" if wants_key else 0)
    return found


def _now(path: list[str | int]) -> Path_:
    return tuple(path)
