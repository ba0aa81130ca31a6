"""Where the names of dots go, so that no name covers another name, a dot or a line, at any width of the page. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from zoo.site.pages.charts.svg import LEFT, RADIUS, TOP, text

NARROW = (300.0, 340.0, 420.0, 560.0, 720.0)
"""Widths in px at which a name is tried. Between dots the gaps only grow with the width."""
WIDE = (560.0, 640.0, 720.0)
"""The same for names that only a wider page shows; ``charts.css`` hides them below 600 px."""

_LETTER, _ABOVE, _BELOW = 7.2, 10.0, 4.0
"""A letter's width, and how far a line of words reaches above and below its base, in px. A wide letter, to be safe."""


class Place(NamedTuple):
    """A dot: x in % of the width, y in px."""

    x: float
    y: float


class Box(NamedTuple):
    """In px."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def crosses(self, a: tuple[float, float], b: tuple[float, float]) -> bool:
        """Whether a line from a to b touches the box (Liang and Barsky's clipping)."""
        enters, leaves = 0.0, 1.0
        steps = b[0] - a[0], b[1] - a[1]
        for step, low, high in (
            (steps[0], self.left - a[0], self.right - a[0]),
            (steps[1], self.top - a[1], self.bottom - a[1]),
        ):
            if step == 0:
                if low > 0 or high < 0:
                    return False
                continue
            first, last = sorted((low / step, high / step))
            enters, leaves = max(enters, first), min(leaves, last)
        return enters <= leaves


@dataclass(frozen=True)
class Spot:
    """Where a name may go: px from its dot, and which end of the words is there."""

    across: float
    down: float
    anchor: str

    def box(self, place: Place, length: int, width: float) -> Box:
        x, y = place.x / 100 * width + self.across, place.y + self.down
        wide = length * _LETTER
        left = {"": x, "mid": x - wide / 2, "end": x - wide}[self.anchor]
        return Box(left, left + wide, y - _ABOVE, y + _BELOW)


_SPOTS = (
    Spot(9, 4, ""), Spot(-9, 4, "end"), Spot(0, -10, "mid"), Spot(0, 20, "mid"),
    Spot(7, -8, ""), Spot(-7, -8, "end"), Spot(7, 18, ""), Spot(-7, 18, "end"),
)  # fmt: skip


@dataclass
class _Taken:
    """What no name may cover: dots, lines, and the names that have their place."""

    dots: Sequence[Place]
    lines: Sequence[Sequence[Place]]
    height: float
    names: list[tuple[Place, Spot, int]]

    def frees(self, spot: Spot, place: Place, length: int, width: float) -> bool:
        """Whether a name of that length has room there in a chart of that width."""
        box = spot.box(place, length, width)
        # Left of the plot are the numbers of the axis.
        if box.left < LEFT / 100 * width or box.right > width or box.top < TOP or box.bottom > self.height:
            return False
        if any(box.meets(other.box(its, count, width)) for its, other, count in self.names):
            return False
        at = [(one.x / 100 * width, one.y) for one in self.dots]
        if any(box.meets(Box(x - RADIUS, x + RADIUS, y - RADIUS, y + RADIUS)) for x, y in at):
            return False
        for line in self.lines:
            ends = [(one.x / 100 * width, one.y) for one in line]
            if any(box.crosses(a, b) for a, b in itertools.pairwise(ends)):
                return False
        return True


def names(
    wanted: Sequence[tuple[Place, str]], dots: Sequence[Place], lines: Sequence[Sequence[Place]], height: float
) -> Iterator[str]:
    """The names that have a free spot, the first wanted first; the others are left to their tooltips."""
    taken = _Taken(dots, lines, height, [])
    left: list[tuple[Place, str]] = []
    for widths, some, kind in ((NARROW, wanted, ""), (WIDE, left, " wide")):
        for place, words in list(some):
            long = len(words)
            spot = next((s for s in _SPOTS if all(taken.frees(s, place, long, width) for width in widths)), None)
            if spot is None:
                left.append((place, words))
                continue
            taken.names.append((place, spot, long))
            # A percentage and px in one place: the words are moved by dx.
            moved = f' dx="{spot.across:g}"' if spot.across else ""
            made = text(f"{place.x:.1f}%", place.y + spot.down, words, f"name {spot.anchor}".strip() + kind)
            yield made.replace("<text", f"<text{moved}", 1)
