"""What a chart is, and its data as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from zoo.site.pages.text import visible


@dataclass(frozen=True)
class Chart:
    """A drawn chart. id names its CSV file and anchor; text says in sentences what the picture shows. best: (words,
    address) of the files on its line, if a page lists them."""

    id: str
    title: str
    svg: Markup
    csv: str
    text: str
    best: tuple[tuple[str, str], ...] = ()


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
