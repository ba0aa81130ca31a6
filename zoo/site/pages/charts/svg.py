"""Axes, dots, lines and words of a chart as SVG. Pure.

Horizontal places are percentages and the SVG has no view box. So a chart is as wide as its page, and words, dots and
strokes keep their size on a phone. Colours are classes of ``site/assets/charts.css``: they follow the page into dark
and light.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

from zoo.site.pages.text import visible

LEFT, RIGHT = 14.0, 97.0
"""Where the plot begins and ends, in % of the width. Left of it are the numbers of the vertical axis."""
TOP, BOTTOM = 30.0, 46.0
"""Room above the plot for the vertical axis' title, and below it for the horizontal axis' numbers and title, in px."""
RADIUS = 5.0
"""Of every dot, in px: its size means nothing."""

_MOST_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """title names figure and unit. better: which end is the good one, or "" if neither."""

    title: str
    low: float
    high: float
    log: bool = False
    better: Literal["less", "more", ""] = ""

    def share(self, value: float) -> float:
        """How far ``value`` is from the low end to the high one: 0 to 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values inside, at most _MOST_TICKS."""
        found = _log_ticks(self.low, self.high) if self.log else []
        return found if len(found) > 1 else _linear_ticks(self.low, self.high)


@dataclass(frozen=True)
class Plot:
    """An empty chart of ``height`` px with one axis or two."""

    x: Axis
    y: Axis | None
    height: float

    def across(self, value: float) -> float:
        """Horizontal place in % of the width."""
        return LEFT + (RIGHT - LEFT) * self.x.share(value)

    def down(self, value: float) -> float:
        """Vertical place in px from the top."""
        assert self.y
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * self.y.share(value)


def around(values: Iterable[float], *, log: bool = False, least: float | None = None) -> tuple[float, float]:
    """Ends of an axis with some room at both; ``least`` is where it may begin at the lowest."""
    some = list(values)
    low, high = min(some), max(some)
    if log:
        room = max((high / low) ** 0.08, 1.1)
        return low / room, high * room
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return (low - room if least is None else max(least, low - room)), high + room


def svg(title: str, text: str, height: float, parts: Iterable[str]) -> Markup:
    """The picture. ``text`` says in sentences what it shows, or is empty where the page says it next to the picture;
    what can be reached by keyboard are its links."""
    words = escape(f"{visible(title)}. {visible(text)}" if text else visible(title))
    body = "".join(parts)
    return Markup(
        f'<svg class="zoo-chart" xmlns="http://www.w3.org/2000/svg" width="100%" height="{height:g}" role="group" '
        f'aria-label="{words}">{body}</svg>'
    )


def axes(plot: Plot) -> str:
    """Lines and numbers of both axes, and their titles, each with the direction that is better."""
    bottom = plot.height - BOTTOM
    lines, words = [], []
    for value in plot.y.ticks() if plot.y else ():
        lines.append(f"M{LEFT:g} {short(plot.down(value))}H{RIGHT:g}")
        words.append(text(f"{LEFT - 1.5:g}%", plot.down(value) + 4, number(value), "end"))
    for value in plot.x.ticks():
        x = short(plot.across(value))
        lines.append(f"M{x} {TOP:g}V{bottom:g}")
        words.append(text(f"{x}%", bottom + 16, number(value), "mid"))
    if plot.y:
        better = {"less": " · lower is better ↓", "more": " · higher is better ↑", "": ""}[plot.y.better]
        words.append(text("0", 14, plot.y.title + better, "title"))
    before = "← less is better · " * (plot.x.better == "less")
    after = " · more is better →" * (plot.x.better == "more")
    words.append(text(f"{RIGHT:g}%", plot.height - 8, before + plot.x.title + after, "title end"))
    return f'<g aria-hidden="true">{_stretched("grid", "".join(lines), plot.height)}{"".join(words)}</g>'


def text(x: str, y: float, words: str, kind: str = "") -> str:
    """Words at a place; ``x`` has its unit."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{short(y)}"{named}>{escape(visible(words))}</text>'


def dot(x: float, y: float, title: str, url: str | None = None, *, quiet: bool = False) -> str:
    """A dot with its tooltip, and the page behind it. x in %, y in px. quiet: the Tab key passes it by."""
    circle = f'<circle cx="{short(x)}%" cy="{short(y)}" r="{RADIUS:g}"/>'
    said = f"<title>{escape(visible(title))}</title>"
    if url is None:
        return f"<g>{said}{circle}</g>"
    tab = ' tabindex="-1"' if quiet else ""
    return f'<a href="{escape(url)}"{tab}>{said}{circle}</a>'


def line(points: Sequence[tuple[float, float]], kind: str, height: float) -> str:
    """A line through points, each (% of the width, px). Its box is stretched, but not its stroke."""
    path = "L".join(f"{short(x, 2)} {short(y)}" for x, y in points)
    return _stretched(kind, f"M{path}", height)


def _stretched(kind: str, path: str, height: float) -> str:
    """A path across the chart; x in % of the width, y in px."""
    box = f'viewBox="0 0 100 {height:g}" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg {box}><path class="{kind}" d="{path}"/></svg>'


def level(y: float, title: str) -> str:
    """A dashed line across the plot, ``y`` px from the top."""
    ends = f'x1="{LEFT:g}%" x2="{RIGHT:g}%" y1="{short(y)}" y2="{short(y)}"'
    return f'<line class="level" {ends}><title>{escape(visible(title))}</title></line>'


def short(value: float, digits: int = 1) -> str:
    """A place with no more digits than the eye can see."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if value else "0"


def number(value: float) -> str:
    """A tick's number, with separators from 10,000 on."""
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:g}"


def _log_ticks(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{m * 10.0**e:.6g}") for e in exponents for m in steps]
        inside = [value for value in found if low <= value <= high]
        if len(inside) <= _MOST_TICKS:
            return inside
    return inside[:: math.ceil(len(inside) / _MOST_TICKS)]


def _linear_ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{n * step:.6g}") for n in range(first, math.floor(high / step + 1e-9) + 1)]
