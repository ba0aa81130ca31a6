"""Features of Québec French that a text shows, by the rules of ``tagrules``. Pure."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable

from zoo.corpora.tagrules import RULES

WORD = re.compile(r"[^\W\d_]+")
"""A word, without digits and apostrophes."""
_ALIKE = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2018": "'", "\u00a0": " ", "\u202f": " ", "\u2011": "-"})
_TYPED = re.compile("[\u2018\u2019\u02bc\u00a0\u202f\u2011]").search

Test = Callable[[str], object]


def plain(text: str) -> str:
    """A text with plain apostrophes, spaces and hyphens, whatever keyboard typed it."""
    if text.isascii():
        return text
    typed = unicodedata.normalize("NFC", text)
    return typed.translate(_ALIKE) if _TYPED(typed) else typed


def tags(text: str) -> set[str]:
    """The tags of ``dialect-record-v1`` whose rules find something in a French text; never tagrules.UNSEEN."""
    typed = plain(text)
    return of_words(typed, WORD.findall(typed.lower()))


def of_words(typed: str, words: Iterable[str]) -> set[str]:
    """The same for a plain text and its words in small letters."""
    tests = _tests()
    found: set[str] = set()
    called = {one for word in tests.keys() & set(words) for one in tests[word]}
    for tag, test in called:
        if tag not in found and (test is None or test(typed)):
            found.add(tag)
    return found


@functools.cache
def _tests() -> dict[str, list[tuple[str, Test | None]]]:
    """(tag, test) of every rule that a word calls; without a test, the word is enough."""
    made: dict[str, list[tuple[str, Test | None]]] = {}
    for rule in RULES:
        test = re.compile(rule.pattern, re.IGNORECASE).search if rule.pattern else None
        for word in rule.words:
            made.setdefault(word, []).append((rule.tag, test))
    return made
