"""Text in the form in which it is searched, and the way back to the text itself, which never changes. Pure."""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_SAME = str.maketrans({
    "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-",
    "\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2022": "\u00b7", "\u2027": "\u00b7",
    "\u2219": "\u00b7", "\u22c5": "\u00b7", "\u30fb": "\u00b7",
})  # fmt: skip
"""Characters that French typing uses where patterns have the plain ones: apostrophes, hyphens, no-break spaces; and
dots in the middle of a line, which are one."""


UNUSUAL = re.compile("[^\\x00-\\x7f\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u00ab\u00bb]")


ESCAPE = re.compile(
    r"[\\%&](?:(?<=\\)\\{0,7}(?:u(?P<unit>[0-9A-Fa-f]{4})|(?P<short>[nrtbf\"/]))|(?<=%)(?P<byte>[2-7][0-9A-Fa-f])|"
    r"(?<=&)(?:#[0-9]{2,6}|#[xX][0-9A-Fa-f]{2,5}|[A-Za-z]{2,8});)"
)
"""A character as JSON, addresses and HTML write it. Parts of them are in sentences and code, which no parser reads."""
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}


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
    return _folded(zip(plain, range(len(plain)), range(1, len(plain) + 1), strict=True))


def unescape(original: str) -> Folded:
    """The same of the characters that the escapes in a text stand for."""
    return _folded(_characters(original))


def _characters(original: str) -> Iterator[tuple[str, int, int]]:
    """The characters of a text, each with the places where it begins and ends."""
    end = 0
    for escape in ESCAPE.finditer(original):
        for place in range(end, escape.start()):
            yield original[place], place, place + 1
        end = escape.end()
        for char in _written(escape):
            yield char, escape.start(), end
    for place in range(end, len(original)):
        yield original[place], place, place + 1


def _written(escape: re.Match[str]) -> str:
    if number := escape["unit"] or escape["byte"]:
        return chr(int(number, 16))
    if short := escape["short"]:
        return _SHORT.get(short, short)
    return html.unescape(escape.group())


def _folded(characters: Iterable[tuple[str, int, int]]) -> Folded:
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    for char, start, end in characters:
        if char > "\x7f":
            category = unicodedata.category(char)
            if category == "Cf":
                continue
            if chars and category in _MARKS:
                whole = unicodedata.normalize("NFC", chars[-1] + char)
                if len(whole) == 1 or chars[-1] <= _LAST_LATIN:
                    # A mark without such a letter, as keys in pictures and crossed out digits have it, hides nothing.
                    chars[-1] = whole[0]
                    places[-1] = places[-1][0], end
                    continue
            char = str(unicodedata.decimal(char)) if char.isdecimal() else unicodedata.normalize("NFKC", char)
            char = char.translate(_SAME)
        chars += char
        places += [(start, end)] * len(char)
    return Folded("".join(chars), places)


_MARKS = ("Mn", "Me")
_LAST_LATIN = "\u024f"


@functools.lru_cache(4096)
def _stays(char: str) -> bool:
    """Whether a character is searched as it is: letters with accents are most of what is beyond ASCII."""
    is_alone = unicodedata.category(char) not in ("Cf", *_MARKS) and not char.isdecimal()
    return is_alone and unicodedata.normalize("NFKC", char) == char
