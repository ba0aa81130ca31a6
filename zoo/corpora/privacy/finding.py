"""Personal data in a text: every find, none of which overlaps another. Pure."""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from typing import NamedTuple

from zoo.corpora.privacy import signs
from zoo.corpora.privacy.decide import IsPhone, Seen
from zoo.corpora.privacy.finders import FINDERS
from zoo.corpora.privacy.folding import ESCAPE, Folded, fold, unescape

PLACEHOLDER = re.compile(r"\[[A-Z]{2,12}-[a-z2-7]{10}\]")
NUMBERS = re.compile(f"(?<![0-9])[0-9](?:{signs.BETWEEN}[0-9]){{6,}}")
"""Where the sign LONG is, whole."""
_BEFORE, _AFTER = 16, 24
"""More characters than a long number has before and after its figures, with all that a pattern looks at there."""


class Find(NamedTuple):
    """A span of a text with its kind. same: equal for two ways to write one value."""

    start: int
    end: int
    kind: str
    same: str


def find(text: str, hint: str, is_phone: IsPhone) -> list[Find]:
    """Personal data in ``text``, in its order. hint: the name of its field, such as ``phone``. Placeholders of an
    earlier run are not looked into."""
    found = _found(fold(text), hint, is_phone)
    if "\\" not in text and "%" not in text and "&" not in text:
        return found
    inside = {place for match in ESCAPE.finditer(text) for place in range(match.start() + 1, match.end())}
    if not inside:
        return found
    # What begins or ends in an escape is less right than what is in the text that the escape stands for.
    whole = [one for one in found if one.start not in inside and one.end not in inside]
    taken = _Taken([one[:2] for one in whole])
    whole += [one for one in (*_found(unescape(text), hint, is_phone), *found) if taken.takes(*one[:2])]
    return sorted(whole)


class _Taken:
    """Spans that do not overlap. A long text can have 100,000 of them."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._spans = spans

    def takes(self, start: int, end: int) -> bool:
        """Adds a span if it overlaps none."""
        place = bisect_left(self._spans, (end,))
        if place and self._spans[place - 1][1] > start:
            return False
        self._spans.insert(place, (start, end))
        return True


def _found(folded: Folded, hint: str, is_phone: IsPhone) -> list[Find]:
    plain = folded.text
    seen_signs = signs.seen_in(plain)
    if not seen_signs:
        return []
    runs = list(NUMBERS.finditer(plain)) if signs.LONG in seen_signs else []
    numbers = {number for sign in seen_signs if sign is not signs.LONG for number in _NAMING[sign]}
    for run in runs:
        numbers.update(_of_shape(shape(run.group())))
    around = (max(0, runs[0].start() - _BEFORE), runs[-1].end() + _AFTER) if runs else (0, 0)
    seen = Seen(plain, hint, is_phone)
    taken = _Taken([match.span() for match in PLACEHOLDER.finditer(plain)] if "[" in plain else [])
    found = []
    for number in sorted(numbers):
        finder = FINDERS[number]
        if finder.needs and finder.needs not in plain:
            continue
        for match in finder.search.finditer(plain, *(around if finder.figures else ())):
            span = finder.choose(seen, match)
            if span and taken.takes(*span):
                start, end = folded.place(*span)
                found.append(Find(start, end, finder.kind, finder.same(plain[slice(*span)])))
    return sorted(found)


_NAMING = {
    sign: [number for number, finder in enumerate(FINDERS) if sign in finder.signs] for sign in signs.EVERY
}
"""The finders that name a sign, by their place in the order."""
_AS_ZERO = dict.fromkeys(map(ord, "123456789"), "0")


def shape(number: str) -> str:
    """A long number with each digit as 0."""
    return number.translate(_AS_ZERO)


@functools.lru_cache(4096)
def _of_shape(shape: str) -> list[int]:
    """The finders of long numbers that may match in a number of a shape. Texts have few shapes."""
    return [number for number in _NAMING[signs.LONG] if (near := FINDERS[number].near) and near.search(shape)]
