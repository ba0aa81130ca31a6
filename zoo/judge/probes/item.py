"""What a probe is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

LABEL = "zoo probes 1"
"""Part of every seed; changed when the items of a probe change, so that old and new ones are not mixed up."""


@dataclass(frozen=True)
class Question:
    """A message to the model, and the right answer: the text ``expected`` or JSON of ``schema``, depending on its
    probe. max_tokens bounds the answer."""

    id: str
    prompt: str
    max_tokens: int
    expected: str | None = None
    schema: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Pair:
    """Two sentences that differ in one point of grammar and begin with the same word."""

    id: str
    good: str
    bad: str
    phenomenon: str


@dataclass(frozen=True)
class Answer:
    """A file's answer to an item, and whether it is right.

    text: what it wrote; for a pair, by how many nats the right sentence is more probable. finish: "stop" (it ended by
    itself) or "length"; "" for a pair.
    """

    id: str
    text: str
    finish: str
    correct: bool


@dataclass(frozen=True)
class Probe:
    """Items of one kind. language is that of the sentences, None where it does not matter.

    shots: (question, answer) turns before every question, as examples; they are shared by all items.
    asks: what a right answer is, in a sentence for people.
    """

    name: str
    title: str
    asks: str
    language: str | None = None
    shots: tuple[tuple[str, str], ...] = ()
    questions: tuple[Question, ...] = field(default=())
    pairs: tuple[Pair, ...] = field(default=())


def distinct(name: str, items: int, seed: int, draw: Callable[[random.Random], T]) -> list[T]:
    """``items`` different values of ``draw``, in an order that depends on name and seed only."""
    dice = random.Random(f"{LABEL} {name} {seed}")
    found: dict[T, None] = {}
    # Draws sometimes repeat; too many tries mean that there are too few different values.
    for _ in range(100 * items + 1000):
        if len(found) == items:
            break
        found.setdefault(draw(dice))
    if len(found) < items:
        raise ValueError(f"the probe {name} has no {items} different items, only about {len(found)}")
    return list(found)
