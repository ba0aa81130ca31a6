"""Text in the form in which it is searched, and the way back to the text itself, which never changes. Pure."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_SAME = str.maketrans({
    "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-",
    "\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
})  # fmt: skip
"""Characters that French typing uses where patterns have the plain ones: apostrophes, hyphens, no-break spaces."""


UNUSUAL = re.compile("[^\\x00-\\x7f\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u00ab\u00bb]")


class Folded(NamedTuple):
    """text: to search. places: for each of its characters where it begins and ends in the original; None if both have
    the same places."""

    text: str
    places: Sequence[tuple[int, int]] | None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a span of ``text`` is from."""
        if self.places is None:
            return start, end
        return self.places[start][0], self.places[end - 1 if end > start else start][1 if end > start else 0]


def usual(text: str) -> str:
    """The usual typing of French as patterns have it, without a look at each character: what ``fold`` gives if no
    character of it is UNUSUAL."""
    return text.replace("\u2019", "'").replace("\u00a0", " ").replace("\u202f", " ").replace("\u2011", "-")


def fold(original: str) -> Folded:
    """Digits of every script as ASCII, letters with their accents as one character, invisible format characters left
    out, usual apostrophes, hyphens, spaces."""
    if original.isascii():
        return Folded(original, None)
    plain = usual(original)
    if UNUSUAL.search(plain) is None:
        return Folded(plain, None)
    plain = plain.translate(_SAME)
    if all(_stays(char) for char in set(plain) if char > "\x7f"):
        return Folded(plain, None)
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    for place, char in enumerate(plain):
        if char > "\x7f":
            if unicodedata.category(char) == "Cf":
                continue
            if chars and unicodedata.combining(char):
                whole = unicodedata.normalize("NFC", chars[-1] + char)
                if len(whole) == 1:
                    chars[-1], places[-1] = whole, (places[-1][0], place + 1)
                    continue
            char = str(unicodedata.decimal(char)) if char.isdecimal() else unicodedata.normalize("NFKC", char)
        chars += char
        places += [(place, place + 1)] * len(char)
    return Folded("".join(chars), places)


@functools.lru_cache(4096)
def _stays(char: str) -> bool:
    """Whether a character is searched as it is: letters with accents are most of what is beyond ASCII."""
    is_alone = unicodedata.category(char) != "Cf" and not unicodedata.combining(char) and not char.isdecimal()
    return is_alone and unicodedata.normalize("NFKC", char) == char
