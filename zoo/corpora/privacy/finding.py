"""Personal data in a text: every find, none of which overlaps another. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from zoo.corpora.privacy.decide import IsPhone, Seen
from zoo.corpora.privacy.finders import FINDERS, LONG
from zoo.corpora.privacy.folding import fold

PLACEHOLDER = re.compile(r"\[[A-Z]{2,12}-[a-z2-7]{10}\]")
_DIGIT = re.compile(r"[0-9]")
_ODD_DIGIT = re.compile("[\u00b2\u00b3\u00b9\u2070-\u2099\u2460-\u249b\uff10-\uff19\U0001d7ce-\U0001d7ff]")
"""What becomes an ASCII digit when the text is folded."""
_LONG = re.compile(rf"[0-9](?:[ ().-]{{0,2}}[0-9]){{{LONG - 1}}}")


class Find(NamedTuple):
    """A span of a text with its kind. same: equal for two ways to write one value."""

    start: int
    end: int
    kind: str
    same: str


def find(text: str, hint: str, is_phone: IsPhone) -> list[Find]:
    """Personal data in ``text``, in its order. hint: the name of its field, such as ``phone``. Placeholders of an
    earlier run are not looked into."""
    if not _may_hold(text):
        return []
    folded = fold(text)
    plain = folded.text
    seen = Seen(plain, hint, is_phone)
    has = 0 if _DIGIT.search(plain) is None else LONG if _LONG.search(plain) else 1
    taken = [match.span() for match in PLACEHOLDER.finditer(plain)] if "-" in plain else []
    found = []
    for finder in _CALLED[has]:
        if finder.needs != _ANY and not any(map(plain.__contains__, finder.needs)):
            continue
        if finder.near is not None and finder.near.search(plain) is None:
            continue
        for match in finder.search.finditer(plain):
            span = finder.choose(seen, match)
            if span and all(span[1] <= start or span[0] >= end for start, end in taken):
                taken.append(span)
                start, end = folded.place(*span)
                found.append(Find(start, end, finder.kind, finder.same(plain[slice(*span)])))
    return sorted(found)


_ANY = ("",)
_CALLED = {has: [finder for finder in FINDERS if finder.row <= has] for has in (0, 1, LONG)}


def _may_hold(text: str) -> bool:
    """Whether a text has what personal data has: most texts of a corpus do not, and are done here."""
    if _DIGIT.search(text) is not None or "@" in text or "://" in text or "=" in text or "_" in text:
        return True
    # A soft hyphen may be in any of the words, and other digits become usual ones.
    if not text.isascii() and ("\u00ad" in text or "\u200b" in text or _ODD_DIGIT.search(text) is not None):
        return True
    return any(map(text.__contains__, _WITHOUT_DIGITS)) or _HEX_PAIRS.search(text) is not None


_WITHOUT_DIGITS = (
    "ass", "ASS", "mdp", "MDP", "pwd", "PRIVATE KEY", "AKIA", "ASIA", "AIza", "eyJ", "SG.", "sk-", "xox", "pypi-",
    "glpat-",
)  # fmt: skip
"""One of these is in a password or key that has neither a digit nor an underscore."""
_HEX_PAIRS = re.compile("[A-Fa-f]{2}[:-][A-Fa-f]{2}[:-]")
