"""Chart of a corpus: a bar per label, as long as its share of the records."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.corpora import describe
from zoo.corpora.describe import Described
from zoo.site.pages.charts.chart import Chart, as_csv
from zoo.site.pages.charts.svg import line, short, svg, text

MOST_BARS = 16
_ROW, _TITLE, _TOP = 20.0, 30.0, 24.0
_LEFT, _RIGHT = 40.0, 88.0
"""Where bars begin and where one of 100 % ends, in % of the width."""


def coverage(found: Described, title: str) -> Chart:
    """Every group that has records; of one with many labels, the MOST_BARS most frequent."""
    groups = {name: describe.ordered(counts) for name, counts in found.groups.items() if counts}
    height = _TOP + sum(_TITLE + _ROW * min(len(rows), MOST_BARS) for rows in groups.values())
    parts: list[str] = [text("0", 14, f"{title}: {found.records} records", "title")]
    y = _TOP
    for name, rows in groups.items():
        parts += _group(describe.GROUPS[name], rows[:MOST_BARS], found.records, y, height)
        y += _TITLE + _ROW * min(len(rows), MOST_BARS)
    table = [("group", "label", "records", "share")]
    lines = [(name, label, n, round(n / found.records, 6)) for name, rows in groups.items() for label, n in rows]
    words = " ".join(
        f"{describe.GROUPS[name]}: "
        + ", ".join(f"{label} {describe.percent(n / found.records)}" for label, n in rows[:MOST_BARS]) + "."
        for name, rows in groups.items()
    )  # fmt: skip
    return Chart("coverage", title, svg(title, words, height, parts), as_csv([*table, *lines]), words)


def _group(title: str, rows: list[tuple[str, int]], records: int, top: float, height: float) -> Iterator[str]:
    yield text("0", top + 20, title, "title")
    for number, (label, count) in enumerate(rows):
        y = top + _TITLE + _ROW * number
        share = count / records
        end = _LEFT + (_RIGHT - _LEFT) * min(share, 1)
        yield text(f"{_LEFT - 1:g}%", y + 12, label, "end")
        corners = [(_LEFT, y + 2), (end, y + 2), (end, y + 15), (_LEFT, y + 15)]
        yield line(corners, "band", height)
        yield text(f"{short(end + 1)}%", y + 12, describe.percent(share))
