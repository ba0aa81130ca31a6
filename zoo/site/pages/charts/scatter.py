"""Dots between two axes, with the line of those that no other beats in both. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from zoo.site.pages.charts import naming
from zoo.site.pages.charts.naming import Place
from zoo.site.pages.charts.svg import LEFT, RIGHT, Plot, axes, dot, level, line, svg
from zoo.site.pages.text import shortened, visible

NAMED_AT_MOST = 24
"""More names than these nobody reads; the others are tooltips."""
FEWEST = 3
"""Dots of a chart at least: two are said in a sentence."""

_NAME_LENGTH = 32

Item = TypeVar("Item")


@dataclass(frozen=True)
class Dot:
    """x and y in the axes' units; title: its tooltip; name: written next to it; best: on the line."""

    x: float
    y: float
    title: str
    name: str
    url: str | None
    best: bool


def front(
    some: Iterable[Item], x: Callable[[Item], float], y: Callable[[Item], float], signs: tuple[int, int]
) -> list[Item]:
    """Those that no other beats in both figures, in order of x: a Pareto front. A sign is 1 where more is better, and
    -1 where less is."""
    best, kept = float("-inf"), []
    for one in sorted(some, key=lambda one: (-signs[0] * x(one), -signs[1] * y(one))):
        if signs[1] * y(one) > best:
            best = signs[1] * y(one)
            kept.append(one)
    return sorted(kept, key=x)


def scatter(title: str, plot: Plot, dots: Sequence[Dot], mark: tuple[float, str] | None = None) -> Markup:
    """The picture. The dots on the line come last, so they are on top, and first for the keyboard among equals: the Tab
    key goes to them only. mark: a dashed line at this height, and its tooltip."""
    places = [Place(plot.across(one.x), plot.down(one.y)) for one in dots]
    best = sorted((place, one) for place, one in zip(places, dots, strict=True) if one.best)
    others = [(place, one) for place, one in zip(places, dots, strict=True) if not one.best]
    along = [place for place, _ in best]
    parts, lines = [axes(plot)], [along]
    if mark:
        y = plot.down(mark[0])
        lines.append([Place(LEFT, y), Place(RIGHT, y)])
        parts.append(level(y, mark[1]))
    if len(along) > 1:
        parts.append(line(along, "front", plot.height))
    parts += _group("others", others, quiet=bool(best)) + _group("best", best, quiet=False)
    named = [*_from_both_ends(best), *(others if len(dots) <= NAMED_AT_MOST else ())]
    wanted = [(place, shortened(visible(one.name), _NAME_LENGTH)) for place, one in named if one.name]
    parts += naming.names(wanted[:NAMED_AT_MOST], places, lines, plot.height)
    return svg(title, "", plot.height, parts)


def _group(kind: str, some: Sequence[tuple[Place, Dot]], *, quiet: bool) -> list[str]:
    drawn = (dot(place.x, place.y, one.title, one.url, quiet=quiet) for place, one in some)
    return [f'<g class="{kind}">{"".join(drawn)}</g>'] if some else []


def _from_both_ends(some: Sequence[Item]) -> Iterator[Item]:
    """The first, the last, then what is between them: ends get their names before the crowd in the middle."""
    left = list(some)
    while left:
        yield left.pop(0)
        if left:
            yield left.pop()
