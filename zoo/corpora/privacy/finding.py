"""Personal data in a text: every find, none of which overlaps another. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from zoo.corpora.privacy import signs
from zoo.corpora.privacy.decide import IsPhone, Seen
from zoo.corpora.privacy.finders import FINDERS
from zoo.corpora.privacy.folding import fold

PLACEHOLDER = re.compile(r"\[[A-Z]{2,12}-[a-z2-7]{10}\]")
_NUMBERS = re.compile(r"[0-9](?:[ ().-]{0,2}[0-9]){6,}")
"""Where the sign LONG is, whole."""
_BEFORE, _AFTER = 16, 64
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
    folded = fold(text)
    plain = folded.text
    seen_signs = signs.seen_in(plain)
    if not seen_signs:
        return []
    runs = list(_NUMBERS.finditer(plain)) if signs.LONG in seen_signs else []
    numbers = " / ".join(run.group() for run in runs)
    around = (max(0, runs[0].start() - _BEFORE), runs[-1].end() + _AFTER) if runs else (0, 0)
    seen = Seen(plain, hint, is_phone)
    taken = [match.span() for match in PLACEHOLDER.finditer(plain)] if "-" in plain else []
    found = []
    for number in sorted({number for sign in seen_signs for number in _NAMING[sign]}):
        finder = FINDERS[number]
        if finder.near is not None and not finder.near.search(numbers):
            continue
        for match in finder.search.finditer(plain, *(around if finder.near is not None else ())):
            span = finder.choose(seen, match)
            if span and not any(span[1] > start and span[0] < end for start, end in taken):
                taken.append(span)
                start, end = folded.place(*span)
                found.append(Find(start, end, finder.kind, finder.same(plain[slice(*span)])))
    return sorted(found)


_NAMING = {
    sign: [number for number, finder in enumerate(FINDERS) if sign in finder.signs]
    for _, some in signs.FAMILIES
    for sign in some
}
"""The finders that name a sign, by their place in the order."""
