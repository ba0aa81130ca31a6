"""Stopping: after a short answer the model ends its turn by itself."""

from __future__ import annotations

import random

from zoo.judge.probes.item import Probe, Question, distinct

MAX_TOKENS = 64
THINGS = (
    "a colour", "an animal", "a fruit", "a country", "a city", "a tool", "a musical instrument", "a month",
    "a drink", "a tree", "a sport", "a number", "a planet", "a vegetable", "a piece of furniture", "a language",
)  # fmt: skip
WORDS = ("hello", "thanks", "good night", "welcome", "yes", "no", "well done", "goodbye", "sorry", "please")


def make(items: int, seed: int) -> Probe:
    """Questions for which every answer is right that ends by itself."""
    asked = distinct("stop", items, seed, _draw)
    return Probe(
        "stop",
        "Ends its turn",
        f"The answer is not empty, ends by itself within {MAX_TOKENS} tokens and shows no marker of the chat template.",
        questions=tuple(Question(f"stop-{number}", text, MAX_TOKENS) for number, text in enumerate(asked, 1)),
    )


def _draw(dice: random.Random) -> str:
    kind = dice.randrange(3)
    if kind == 0:
        return f"Name {dice.choice(THINGS)}. {dice.choice(('Answer with one word.', 'One is enough.', 'Be brief.'))}"
    if kind == 1:
        return f"Say {dice.choice(WORDS)} to {dice.choice(('my friend', 'the class', 'a guest', 'the team'))}, briefly."
    one, other = dice.sample(range(1, 100), 2)
    return f"Is {one} larger than {other}? Answer yes or no."
