"""Short arithmetic: sums and differences of numbers up to 99, products up to 12 x 12."""

from __future__ import annotations

import random

from zoo.judge.probes.item import Probe, Question, distinct

SHOTS = (("What is 3 + 4?", "7"), ("What is 20 - 6?", "14"), ("What is 5 x 3?", "15"))


def make(items: int, seed: int) -> Probe:
    """Questions whose answer is one number."""
    drawn = distinct("arithmetic", items, seed, _draw)
    return Probe(
        "arithmetic",
        "Short arithmetic",
        "The last number on the first line of the answer is the right one.",
        shots=SHOTS,
        questions=tuple(
            Question(f"arithmetic-{number}", f"What is {text}?", 12, expected=str(value))
            for number, (text, value) in enumerate(drawn, 1)
        ),
    )


def _draw(dice: random.Random) -> tuple[str, int]:
    while True:
        text, value = _calculation(dice)
        # A question from the shots would only be copied.
        if f"What is {text}?" not in {question for question, _ in SHOTS}:
            return text, value


def _calculation(dice: random.Random) -> tuple[str, int]:
    kind = dice.choice("++--x")
    if kind == "x":
        one, other = dice.randint(2, 12), dice.randint(2, 12)
        return f"{one} x {other}", one * other
    top = dice.choice((9, 99))
    one, other = dice.randint(1, top), dice.randint(1, top)
    if kind == "+":
        return f"{one} + {other}", one + other
    one, other = max(one, other), min(one, other)
    return f"{one} - {other}", one - other
