"""Texts that are nearly the same, or that share a long phrase: within a corpus, or between it and held-out text. Pure.

Nothing is sampled: every pair whose Jaccard index reaches the threshold is found. Two sets with index t share at least
k of their first ``n - ceil(t n) + k`` elements in any common order (prefix filter: Chaudhuri, Ganti and Kaushik, 2006;
with k above 1: Wang, Li and Feng, 2012), so only pairs that share k of their rare pieces are compared.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog.unseen import same_text

PIECE_CHARACTERS = 5
PHRASE_WORDS = 8
TEMPLATE_RECORDS = 5
"""A phrase that so many records of one side have is part of their form, such as "answer in at most three sentences"."""

_SHARED = 4
"""k above. A larger one compares fewer pairs, and keeps more places of pieces."""

_SAMPLE = 20_000
_WORD = re.compile(r"\w+")


class Text(NamedTuple):
    """file, line: where a text is from. words: what of it is compared."""

    file: int
    line: int
    words: str


class Overlap(NamedTuple):
    """What a text has in common with another one. share: Jaccard index of their pieces, 0 for a shared phrase."""

    text: Text
    other: Text
    share: float
    phrase: str


def folded(text: str) -> str:
    """Words in small letters with single spaces: punctuation and case make no other text."""
    return " ".join(_WORD.findall(same_text(text).casefold()))


def jaccard(one: str, other: str) -> float:
    """Shared pieces of PIECE_CHARACTERS of two folded texts, divided by all pieces of both: 0 to 1."""
    first, second = _pieces(one), _pieces(other)
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)


def within(texts: Sequence[Text], threshold: float) -> Iterator[Overlap]:
    """Each text that is near an earlier one, with the first such."""
    near = _Near(threshold, _frequencies(texts))
    for text in texts:
        found = min(near.like(text), default=None)
        if found is not None:
            yield Overlap(text, found[1], found[2], "")
        near.add(text)


def between(texts: Iterable[Text], others: Sequence[Text], threshold: float) -> Iterator[Overlap]:
    """Each text that is near one of ``others``, or has a phrase of PHRASE_WORDS words in common with one; named once,
    with the nearest."""
    near, phrases = _Near(threshold, _frequencies(others)), _Phrases(others)
    for other in others:
        near.add(other)
    kept = list(texts)
    phrases.leave_out_forms(kept)
    for text in kept:
        found = max(near.like(text), key=lambda one: one[2], default=None)
        if found is not None:
            yield Overlap(text, found[1], found[2], "")
        elif (shared := phrases.shared(text)) is not None:
            yield shared


def _pieces(text: str) -> set[str]:
    last = len(text) - PIECE_CHARACTERS
    return {text[place : place + PIECE_CHARACTERS] for place in range(last + 1)} if last > 0 else {text}


def _frequencies(texts: Sequence[Text]) -> Counter[str]:
    """How often a piece is in a sample of the texts. It only decides an order, so a sample is enough."""
    step = max(len(texts) // _SAMPLE, 1)
    found: Counter[str] = Counter()
    for text in texts[::step]:
        found.update(_pieces(text.words))
    return found


@dataclass
class _Near:
    """Texts by their rarest pieces."""

    threshold: float
    frequencies: Counter[str]
    texts: list[Text] = field(default_factory=list)
    holding: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def _first(self, pieces: set[str]) -> list[str]:
        count = len(pieces) - math.ceil(self.threshold * len(pieces)) + _SHARED
        often = self.frequencies
        return sorted(pieces, key=lambda piece: (often.get(piece, 0), piece))[:count]

    def add(self, text: Text) -> None:
        number = len(self.texts)
        self.texts.append(text)
        for piece in self._first(_pieces(text.words)):
            self.holding[piece].append(number)

    def like(self, text: Text) -> Iterator[tuple[int, Text, float]]:
        """(number, text, Jaccard index) of every text that is near."""
        pieces = _pieces(text.words)
        counts: Counter[int] = Counter()
        for piece in self._first(pieces):
            counts.update(self.holding.get(piece, ()))
        # Of a set with few pieces, all that must be shared may be fewer than k.
        needed = min(_SHARED, math.ceil(self.threshold * len(pieces)))
        for number, count in counts.items():
            if count < needed:
                continue
            other = self.texts[number]
            others = _pieces(other.words)
            shared = len(pieces & others)
            share = shared / (len(pieces) + len(others) - shared)
            if share >= self.threshold:
                yield number, other, share


class _Phrases:
    """Phrases of PHRASE_WORDS words, each with the first text that has it."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._first: dict[int, Text] = {}
        counts: Counter[int] = Counter()
        for text in texts:
            for phrase in {hash(phrase) for phrase in _phrases(text.words)}:
                self._first.setdefault(phrase, text)
                counts[phrase] += 1
        self._forms = {phrase for phrase, count in counts.items() if count >= TEMPLATE_RECORDS}

    def leave_out_forms(self, texts: Iterable[Text]) -> None:
        """Phrases that many of ``texts`` have are no sign that one was copied."""
        counts: Counter[int] = Counter()
        for text in texts:
            counts.update({key for phrase in _phrases(text.words) if (key := hash(phrase)) in self._first})
        self._forms |= {phrase for phrase, count in counts.items() if count >= TEMPLATE_RECORDS}

    def shared(self, text: Text) -> Overlap | None:
        for phrase in _phrases(text.words):
            other = self._first.get(key := hash(phrase))
            # A digest may be equal by chance, so the words decide.
            if other is not None and key not in self._forms and phrase in other.words:
                return Overlap(text, other, 0.0, phrase)
        return None


def _phrases(text: str) -> Iterator[str]:
    words = text.split()
    for place in range(len(words) - PHRASE_WORDS + 1):
        yield " ".join(words[place : place + PHRASE_WORDS])
