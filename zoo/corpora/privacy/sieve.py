"""Which lines of some hundred may hold personal data: most do not, and are looked at only here, all together. Pure.

A line that is not named here has no text in which ``finding.find`` finds anything.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from catalog.jsontext import Json
from zoo.corpora.privacy import folding, signs


def suspects(lines: Sequence[bytes], records: Sequence[Json]) -> list[int]:
    """The numbers, from 0 and in their order, of the lines that need a closer look. records: what is on each line."""
    try:
        whole = b"\n".join(lines).decode()
    except UnicodeDecodeError:
        return list(range(len(lines)))
    texts = whole.split("\n")
    if "\\" in whole:
        # What is written as an escape shows itself only in the text that it stands for.
        texts = [
            "\n".join(_texts(record)) if "\\" in text else text
            for text, record in zip(texts, records, strict=True)
        ]
        whole = "\n".join(texts)
    ends = list(accumulate(len(text) + 1 for text in texts))
    plain = folding.usual(whole)
    found: set[int] = set()
    for sign in (folding.UNUSUAL, *_ESCAPES, *signs.ANY):
        found.update(_lines(sign, plain, ends))
    return sorted(found)


_ESCAPES = tuple(map(re.compile, (r"\\", "%[2-7]", "&[#A-Za-z]")))
"""Texts have escapes of their own, as JSON in a text has. One character is found sooner than one of three."""


def _lines(sign: re.Pattern[str], text: str, ends: Sequence[int]) -> Iterator[int]:
    """The lines with a sign. The search continues behind each line, so a match that reaches into the next one hides
    nothing there."""
    place = 0
    while match := sign.search(text, place):
        line = bisect_right(ends, match.start())
        yield line
        place = ends[line]
        if place >= len(text):
            return


def _texts(data: Json) -> Iterable[str]:
    """Everything in a record that is searched, and more: its keys and schemas too."""
    left: list[Json] = [data]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            yield from part
            left += part.values()
        elif isinstance(part, int):
            yield str(part)
