"""JSON without a grammar: the model must write facts from a sentence as an object of a given shape."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import NamedTuple

from zoo.judge.probes.item import Probe, Question, distinct

NAMES = ("Lina", "Omar", "Ada", "Noah", "Mei", "Hugo", "Zoe", "Ivan", "Rosa", "Tom")
PLACES = ("Oslo", "Lyon", "Quito", "Cork", "Kyoto", "Ghent", "Accra", "Perth")
PETS = ("cat", "dog", "bird", "fish")
MAX_TOKENS = 56


class _Fact(NamedTuple):
    """A key, the words of its type, its JSON Schema, and a clause that gives its value."""

    key: str
    words: str
    schema: Mapping[str, object]
    clause: str


def make(items: int, seed: int) -> Probe:
    """Questions whose answer is one JSON object of the item's schema."""
    drawn = distinct("json", items, seed, _draw)
    return Probe(
        "json",
        "Valid JSON without a grammar",
        "The answer is one JSON object, alone or in a code fence, that its JSON Schema accepts.",
        shots=(
            (_ask("Eva has the age 30 and lives in Rome.", ("name (text)", "age (whole number)")),
             '{"name": "Eva", "age": 30}'),
            (_ask("Max owns a pet and lives in Bern.", ("city (text)", "has_pet (true or false)")),
             '{"city": "Bern", "has_pet": true}'),
        ),
        questions=tuple(
            Question(f"json-{number}", text, MAX_TOKENS, schema=json.loads(schema))
            for number, (text, schema) in enumerate(drawn, 1)
        ),
    )  # fmt: skip


def _draw(dice: random.Random) -> tuple[str, str]:
    """The question, and its schema as text, so that two items can be compared."""
    facts = _facts(dice)
    wanted = dice.sample(facts, dice.randint(2, 3))
    sentence = (
        f"{dice.choice(NAMES)} {', '.join(fact.clause for fact in facts[1:-1])} and {facts[-1].clause}."
    )
    schema = {
        "type": "object",
        "properties": {fact.key: fact.schema for fact in wanted},
        "required": [fact.key for fact in wanted],
        "additionalProperties": False,
    }
    return _ask(sentence, tuple(f"{fact.key} ({fact.words})" for fact in wanted)), json.dumps(schema)


def _facts(dice: random.Random) -> list[_Fact]:
    owns = dice.random() < 0.5
    return [
        _Fact("name", "text", {"type": "string"}, ""),
        _Fact("age", "whole number", {"type": "integer"}, f"has the age {dice.randint(18, 80)}"),
        _Fact("city", "text", {"type": "string"}, f"lives in {dice.choice(PLACES)}"),
        _Fact("has_pet", "true or false", {"type": "boolean"}, f"owns {'a' if owns else 'no'} pet"),
        _Fact("favourite", "one of " + ", ".join(PETS), {"enum": list(PETS)}, f"likes the {dice.choice(PETS)} best"),
    ]  # fmt: skip


def _ask(sentence: str, keys: tuple[str, ...]) -> str:
    return f"{sentence} Write only a JSON object with the keys {'; '.join(keys)}."
