"""What a chart is, and the one place that knows the drawing library."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.etree import ElementTree

from markupsafe import Markup

from zoo import extras
from zoo.site.pages.text import visible

WIDTH, HEIGHT = 720, 400
"""The view box; pages scale it to their own width."""

_DROPPED = ("script", "style", "title", "desc", "defs")
_PLACES = frozenset(("x", "y", "cx", "cy", "r", "d", "width", "transform"))
_LONG = re.compile(r"-?[0-9]+[.][0-9]+")
"""Numbers of the view box that are longer than the eye can see."""

_CLASSES = re.compile(r"pygal-chart|background|guide|line|axis|x|y|titles|label|before|dot|color-[0-9]+")
"""Those that charts.css knows; a picture of six files has a kilobyte of others."""

_LETTER = 9.5
"""Width of a letter in a name, in units of the view box, where charts.css has the largest letters: on a phone."""
_PLOT = 85
"""Where the plot begins, right of its axis, in the same units."""

_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Chart:
    """A drawn chart. id names its CSV file and anchor; text says in sentences what the picture shows."""

    id: str
    title: str
    svg: Markup
    csv: str
    text: str


class Canvas(Protocol):
    """A chart of the library that is being filled."""

    def add(self, title: str, values: object, /, **options: object) -> object: ...
    def render_tree(self) -> ElementTree.Element: ...


def canvas(height: int = HEIGHT, **options: object) -> Canvas:
    """An empty XY chart of the library, without any style, script or legend of its own."""
    pygal = extras.load("pygal")
    made: Canvas = pygal.XY(
        pygal.Config(css=[], js=[]),
        width=WIDTH,
        height=height,
        no_prefix=True,
        disable_xml_declaration=True,
        show_legend=False,
        stroke=False,
        **options,
    )
    return made


def finish(id_: str, title: str, drawing: Canvas, rows: Sequence[Sequence[object]], text: str) -> Chart:
    """The chart of a filled canvas; the first of ``rows`` names the CSV's columns."""
    root = drawing.render_tree()
    _strip(root)
    # One picture to a screen reader: its name, and the sentences that stand for it.
    root.set("role", "img")
    root.set("aria-label", f"{visible(title)}. {visible(text)}")
    svg = ElementTree.tostring(root, encoding="unicode")
    return Chart(id_, title, Markup(svg), as_csv(rows), text)


def _strip(part: ElementTree.Element) -> None:
    """Take out what a page does not want: scripts, styles, comments, ids, tooltips that only a script would show,
    classes without a style and groups without content."""
    # The library's comment holds today's date, which would make every build another one.
    for child in list(part):
        tag = child.tag.removeprefix(_SVG) if isinstance(child.tag, str) else "comment"
        if tag not in (*_DROPPED, "comment") and "tooltip-overlay" not in child.get("class", ""):
            _strip(child)
            if tag != "g" or len(child):
                continue
        part.remove(child)
    x = float(part.get("x", "0")) if part.get("class") == "label" else 0.0
    if x > WIDTH * 0.55 or _PLOT + x + _LETTER * len(part.text or "") > WIDTH:
        # The name of a point would leave the picture on the right: it goes to the point's left.
        part.set("x", f"{x - 32:.1f}")
        part.set("class", "label before")
    for name in ("id", "style"):
        part.attrib.pop(name, None)
    for name in _PLACES & part.attrib.keys():
        part.set(name, _LONG.sub(_one_decimal, part.get(name, "")))
    known = [name for name in part.get("class", "").split() if _CLASSES.fullmatch(name)]
    part.attrib.pop("class", None)
    if known:
        part.set("class", " ".join(known))


def _one_decimal(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0")


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """The data of a chart; the first of ``rows`` names the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [["" if cell is None else _cell(cell) for cell in row] for row in rows]
    )
    return text.getvalue()


def _cell(value: object) -> object:
    """Text that a spreadsheet would read as a formula gets an apostrophe before it (OWASP, CSV injection)."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@", "\t", "\r") else shown
