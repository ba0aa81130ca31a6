"""Whether an answer is right. Strict on purpose, and the same for every file."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import NoReturn

from zoo.judge.probes.item import Question

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*")
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_QUOTES = "\"'`“”‘’"


def right(probe: str, question: Question, text: str, finish: str, markers: Collection[str]) -> bool:
    """Whether ``text`` answers the question. finish is "stop" or "length"; markers are texts of the chat template
    that no answer may show."""
    if probe == "json":
        assert question.schema is not None
        return _valid_json(text, question.schema)
    if probe == "arithmetic":
        return last_number(text) == question.expected
    if probe == "copying":
        return text.strip().strip(_QUOTES) == question.expected
    assert probe == "stop"
    return finish == "stop" and bool(text.strip()) and not any(marker in text for marker in markers)


def last_number(text: str) -> str | None:
    """The last whole number on the first line that has text, so that "12 + 7 = 19" is 19."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    found = _NUMBER.findall(line)
    return str(int(found[-1].replace(",", ""))) if found else None


def _valid_json(text: str, schema: Mapping[str, object]) -> bool:
    import jsonschema

    fenced = _FENCE.fullmatch(text.strip())
    try:
        data = json.loads(fenced[1] if fenced else text, parse_constant=_no_constant)
        jsonschema.validate(data, schema)
    except (ValueError, RecursionError, jsonschema.ValidationError):
        return False
    return True


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not valid JSON")
