"""Copying: the model must repeat a meaningless line of words and numbers exactly."""

from __future__ import annotations

import random

from zoo.judge.probes.item import Probe, Question, distinct

WORDS = (
    "river", "lamp", "seven", "cloud", "paper", "green", "stone", "bread", "quiet", "north", "apple", "table",
    "winter", "silver", "garden", "mirror", "yellow", "basket", "copper", "window",
)  # fmt: skip


def make(items: int, seed: int) -> Probe:
    """Questions whose answer is the line itself."""
    lines = distinct("copying", items, seed, _draw)
    return Probe(
        "copying",
        "Copying",
        "The answer is the given line, character by character; quotation marks around it are no matter.",
        shots=(
            (_ask("lamp 40 stone"), "lamp 40 stone"),
            (_ask("north bread 7 green"), "north bread 7 green"),
        ),
        questions=tuple(
            Question(f"copying-{number}", _ask(line), 40, expected=line)
            for number, line in enumerate(lines, 1)
        ),
    )


def _draw(dice: random.Random) -> str:
    parts = dice.sample(WORDS, dice.randint(3, 5))
    parts.insert(dice.randint(1, len(parts)), str(dice.randint(10, 999)))
    return " ".join(parts)


def _ask(line: str) -> str:
    return f"Repeat this line: {line}"
