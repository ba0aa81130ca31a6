"""The slider between the fastest and the best file, as the page brings it; ``site/assets/chooser.js`` moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.choose import candidates, pick
from zoo.choose.chooser import Choice, Offer


@dataclass(frozen=True)
class Mark:
    """A name at a step. left: its place in hundredths of the way; side: where its words are."""

    step: int
    words: str
    left: int
    side: str


@dataclass(frozen=True)
class Way:
    """last: the last step, 0 for a line without a choice; step: that of the answer."""

    last: int
    step: int
    marks: tuple[Mark, ...]


def of(choice: Choice, line: Sequence[Offer]) -> Way:
    """The slider for an answer and its line."""
    last = max(len(line) - 1, 0)
    file = choice.answer.pick.file if choice.answer else None
    step = next((at for at, one in enumerate(line) if one.pick.file is file), 0)
    named: dict[int, list[str]] = {}
    for words, at in _marks(line):
        named.setdefault(at, []).append(words)
    marks = (
        Mark(at, ", ".join(some), round(100 * at / last) if last else 0, "left" if 2 * at > last else "right")
        for at, some in named.items()
    )
    return Way(last, step, tuple(marks))


def _marks(line: Sequence[Offer]) -> list[tuple[str, int]]:
    """(name, step). Beyond "practically the same" no file of that model is noticeably better."""
    found = []
    speeds = [one.pick.speed.typical for one in line if one.pick.speed]
    reading = next((at for at, speed in enumerate(speeds) if speed < candidates.READING), len(line)) - 1
    if reading >= 0:
        found.append(("reading speed", reading))
    for at, one in enumerate(line):
        file = one.pick.file
        if file and one.ranked.entry.name == line[-1].ranked.entry.name and pick.TOLERANCE.holds(file):
            return [*found, ("practically the same", at)]
    return found
