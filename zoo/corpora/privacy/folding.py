"""Text in the form in which it is searched, and the way back to the text itself, which never changes. Pure."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_SAME = str.maketrans({
    "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-",
    "\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
})  # fmt: skip
"""Characters that French typing uses where patterns have the plain ones: apostrophes, hyphens, no-break spaces."""


_UNUSUAL = re.compile("[^\\x00-\\x7f\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u00ab\u00bb]")


@dataclass(frozen=True)
class Folded:
    """text: to search. starts: for each of its characters the place in the original, and at last the original's
    length; None if both have the same places."""

    text: str
    starts: Sequence[int] | None

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a span of ``text`` is from."""
        if self.starts is None:
            return start, end
        return self.starts[start], self.starts[end - 1] + 1 if end > start else self.starts[start]


def fold(original: str) -> Folded:
    """Full-width digits as ASCII (NFKC), invisible format characters left out, usual apostrophes, hyphens, spaces."""
    if original.isascii():
        return Folded(original, None)
    # The usual typing of French, without a look at each character.
    plain = original.replace("\u2019", "'").replace("\u00a0", " ").replace("\u202f", " ").replace("\u2011", "-")
    if _UNUSUAL.search(plain) is None:
        return Folded(plain, None)
    plain = plain.translate(_SAME)
    if all(_stays(char) for char in set(plain) if char > "\x7f"):
        return Folded(plain, None)
    parts, starts = [], []
    for place, char in enumerate(plain):
        if char > "\x7f":
            if unicodedata.category(char) == "Cf":
                continue
            char = unicodedata.normalize("NFKC", char)
        parts.append(char)
        starts += [place] * len(char)
    return Folded("".join(parts), [*starts, len(original)])


@functools.lru_cache(4096)
def _stays(char: str) -> bool:
    """Whether a character is searched as it is: letters with accents are most of what is beyond ASCII."""
    return unicodedata.category(char) != "Cf" and unicodedata.normalize("NFKC", char) == char
