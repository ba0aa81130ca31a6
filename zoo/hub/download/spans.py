"""Which bytes of a file are there. Pure.

A span is a run of bytes that one connection fills from its beginning on. The spans of a file cover it without a gap
from 0 to its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Span:
    """Bytes ``begin`` to ``end`` of the file; those before ``position`` are there."""

    begin: int
    position: int
    end: int
    taken: bool = False

    @property
    def left(self) -> int:
        return self.end - self.position


def whole(size_bytes: int, there: int = 0) -> list[Span]:
    """One span over the file, of which the first ``there`` bytes are there."""
    return [Span(0, there, size_bytes)]


def sound(spans: Sequence[Span], size_bytes: int) -> bool:
    """Whether the spans cover the file without gap or overlap."""
    at = 0
    for span in spans:
        if not (at == span.begin <= span.position <= span.end):
            return False
        at = span.end
    return at == size_bytes


def frontier(spans: Sequence[Span]) -> int:
    """How many bytes from the beginning are there without a hole."""
    for span in spans:
        if span.position < span.end:
            return span.position
    return spans[-1].end if spans else 0


def missing(spans: Sequence[Span]) -> int:
    """Bytes that are still missing."""
    return sum(span.left for span in spans)


def free(spans: Sequence[Span]) -> Span | None:
    """The first span that is not full and that no connection fills."""
    return next((span for span in spans if not span.taken and span.left), None)


def split(spans: list[Span], least: int) -> Span | None:
    """Split the span with the most left in two and return its second half, unless a half would be smaller than
    ``least``."""
    longest = max(spans, key=lambda span: span.left, default=None)
    if longest is None or longest.left < 2 * least:
        return None
    middle = longest.position + longest.left // 2
    half = Span(middle, middle, longest.end)
    longest.end = middle
    spans.insert(spans.index(longest) + 1, half)
    return half
