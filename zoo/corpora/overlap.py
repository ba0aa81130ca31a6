"""Texts that are nearly the same, or that share a long phrase: within a corpus, or between it and held-out text. Pure.

Nothing is sampled: every pair whose Jaccard index reaches the threshold is found. Two sets with index t share at least
k of their first ``n - ceil(t n) + k`` elements in any common order (prefix filter: Chaudhuri, Ganti and Kaushik, 2006;
with k above 1: Wang, Li and Feng, 2012), so only pairs that share k of their rare pieces are compared. Where texts come
by size, fewer pieces of the smaller are kept, and those too small are forgotten (Bayardo, Ma and Srikant, 2007).
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
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
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        first.setdefault(text.words, place)
    order = _Order(texts)
    sized: list[tuple[int, int, array[int]]] = []
    for words, place in first.items():
        pieces = _pieces(words)
        sized.append((len(pieces), place, order.rarest(pieces, threshold)))
    sized.sort(key=lambda one: one[:2])
    near, earliest = _Near(threshold), dict[int, tuple[int, float]]()
    sizes: list[int] = []
    # No text looks for a larger one, so fewer of its pieces must be kept to be found.
    kept = 2 * threshold / (1 + threshold)
    for size, place, rarest in sized:
        low = bisect_left(sizes, _least(threshold, size))
        for other, share in near.like(texts[place].words, size, rarest, low):
            late, early = max(place, other), min(place, other)
            if early < earliest.get(late, (late,))[0]:
                earliest[late] = early, share
        near.add(texts[place].words, place, rarest[: _prefix(kept, size)])
        sizes.append(size)
    for place, text in enumerate(texts):
        same = first[text.words]
        early, share = earliest.get(same, (same, 1.0))
        if early < place:
            yield Overlap(text, texts[early], share, "")


def between(texts: Iterable[Text], others: Sequence[Text], threshold: float) -> Iterator[Overlap]:
    """Each text that is near one of ``others``, or has a phrase of PHRASE_WORDS words in common with one; named once,
    with the nearest."""
    order, near, phrases = _Order(others), _Near(threshold), _Phrases(others)
    first: dict[str, int] = {}
    for place, other in enumerate(others):
        if first.setdefault(other.words, place) == place:
            near.add(other.words, place, order.rarest(_pieces(other.words), threshold))
    kept = list(texts)
    phrases.leave_out_forms(kept)
    for text in kept:
        pieces = _pieces(text.words)
        alike = near.like(text.words, len(pieces), order.rarest(pieces, threshold))
        found = max(alike, key=lambda one: (one[1], -one[0]), default=None)
        if found is not None:
            yield Overlap(text, others[found[0]], found[1], "")
        elif (shared := phrases.shared(text)) is not None:
            yield shared


def _pieces(text: str) -> set[str]:
    last = len(text) - PIECE_CHARACTERS
    return {text[place : place + PIECE_CHARACTERS] for place in range(last + 1)} if last > 0 else {text}


def _least(share: float, count: int) -> int:
    """The smallest whole number that is at least this share of ``count``. A product of floats may lie above the number
    that it should be, which would miss a pair that reaches the threshold exactly."""
    return math.ceil(share * count - 1e-9)


def _prefix(share: float, count: int) -> int:
    """How many of the first pieces of ``count`` decide."""
    return count - _least(share, count) + _SHARED


class _Order(dict[str, int]):
    """The rank of a piece: the rarest of a sample of the texts first, and before them all that it lacks, as they come.
    Every order finds the same pairs, so a sample is enough."""

    def __init__(self, texts: Sequence[Text]) -> None:
        step = max(len(texts) // _SAMPLE, 1)
        counts: Counter[str] = Counter()
        for text in texts[::step]:
            counts.update(_pieces(text.words))
        by_count = sorted((count, piece) for piece, count in counts.items())
        super().__init__((piece, rank) for rank, (_, piece) in enumerate(by_count))
        self._last = 0

    def __missing__(self, piece: str) -> int:
        self._last -= 1
        self[piece] = self._last
        return self._last

    def rarest(self, pieces: Iterable[str], threshold: float) -> array[int]:
        """The first ranks of the pieces, as many as decide whether another text can reach the threshold."""
        ranks = sorted(map(self.__getitem__, pieces))
        return array("q", ranks[: _prefix(threshold, len(ranks))])


class _Near:
    """Texts by their rarest pieces."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._texts: list[tuple[str, int]] = []
        self._holding: dict[int, list[int]] = {}

    def add(self, words: str, place: int, rarest: Iterable[int]) -> None:
        number = len(self._texts)
        self._texts.append((words, place))
        for rank in rarest:
            self._holding.setdefault(rank, []).append(number)

    def like(self, words: str, size: int, rarest: Iterable[int], low: int = 0) -> Iterator[tuple[int, float]]:
        """(place, Jaccard index) of every text that is near. size: pieces of the words. low: of how many of the first
        texts none can be, neither now nor later, because they are too small."""
        holding = [held for rank in rarest if (held := self._holding.get(rank))]
        for held in holding:
            if held[0] < low:
                del held[: bisect_left(held, low)]
        counts = Counter(chain.from_iterable(holding))
        # Of a set with few pieces, all that must be shared may be fewer than k.
        needed = min(_SHARED, _least(self.threshold, size))
        for number in [number for number, count in counts.items() if count >= needed]:
            other, place = self._texts[number]
            share = jaccard(words, other)
            if share >= self.threshold:
                yield place, share


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
