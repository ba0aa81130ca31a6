"""A screen: a title, paragraphs and tables, and the commands to run next; and how it becomes lines of a width. Pure.

The terminal program and ``zoo ui --plain`` show the lines of the same function, so they show the same facts. No line
has a control character, whatever the facts are: a name may be that of a stranger.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest

from rich.text import Text

from zoo.output import bounded, visible

NARROWEST = 40
"""Columns; a smaller terminal cuts the lines."""
GAP = "  "
_LEAST_LAST = 20
"""Columns that the last column of a table gets at least, before the others are cut."""
_LEAST = 4
"""Columns that any column keeps."""
_MOST_LOOKED_AT = 2000
"""Characters of a cell among which its longest word is looked for."""
_MOST_IN_CELL = 12
"""Lines of one cell; none of our sentences is longer, only one that repeats its input can be."""

Link = tuple[str, str]
"""A view and the name that it is about, which a row opens."""
FIELD = "field"
"""What a row of a form opens: not a view, but its field."""


@dataclass(frozen=True)
class Row:
    """A row of a table. later: makes the last cell when the row is shown, because it takes long; see ``Table.last``."""

    cells: tuple[str, ...]
    opens: Link | None = None
    later: Callable[[], str] | None = None

    @functools.cached_property
    def words(self) -> str:
        """What a filter looks for, made once: every key asks every row."""
        return " ".join(self.cells).lower()


@dataclass(frozen=True)
class Table:
    """columns: headings; one that begins with ``#`` has numbers. Cells wrap, or are cut if ``flat``: then each row is
    one line.

    last: how wide the last column is where its cells come later. empty: the words for no rows.
    """

    columns: tuple[str, ...]
    rows: Sequence[Row]
    flat: bool = False
    last: int = 0
    empty: str = "none"


@dataclass(frozen=True)
class Screen:
    """commands: exact lines for what to do next."""

    title: str
    parts: tuple[str | Table, ...]
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of a screen. opens: what Enter opens on it."""

    make: Callable[[], str] = field(repr=False)
    opens: Link | None = None

    @property
    def text(self) -> str:
        """Without control characters, at most as wide as was asked for."""
        return self.make()


def text(screen: Screen, columns: int) -> str:
    """The lines of a screen as one text. columns: of the terminal."""
    return "\n".join(line.text.rstrip() for line in lines(screen, columns))


def lines(screen: Screen, columns: int) -> list[Line]:
    """A screen as lines. The rows of flat tables are made when their text is read, so a screen may have many."""
    width = max(columns, NARROWEST)
    found = [*_wrapped(screen.title, width), _fixed("─" * min(cell_len(clean(screen.title)), width))]
    for part in screen.parts:
        found.append(_fixed(""))
        found += _table(part, width) if isinstance(part, Table) else _wrapped(part, width)
    if screen.commands:
        found += [_fixed(""), _fixed("Next:")]
        found += [_fixed(f"  {clean(command)}", _link(command)) for command in screen.commands]
    return found


def filtered(screen: Screen, words: str) -> Screen:
    """The screen with only those rows of its tables that have every word, in any column and case."""
    wanted = words.lower().split()
    parts = (_with(part, wanted) if isinstance(part, Table) else part for part in screen.parts)
    return replace(screen, parts=tuple(parts))


def _with(table: Table, wanted: Sequence[str]) -> Table:
    rows = [row for row in table.rows if _has(row, wanted)]
    return replace(table, rows=rows, empty="No row has these words.")


def _has(row: Row, wanted: Sequence[str]) -> bool:
    return all(word in row.words for word in wanted)


def cell_len(words: str) -> int:
    """Columns that a line of text needs in a terminal."""
    return len(words) if words.isascii() else Text(words).cell_len


def _link(command: str) -> Link | None:
    """What ``zoo ui VIEW NAME`` shows; None for another command."""
    words = command.split()
    return (words[2], " ".join(words[3:])) if words[:2] == ["zoo", "ui"] and len(words) > 2 else None


def clean(words: str) -> str:
    """One line of text of any origin, without control characters, line breaks and passwords, not too long."""
    return visible(bounded(words).replace("\t", " ").replace("\n", " "))


def _fixed(words: str, opens: Link | None = None) -> Line:
    return Line(partial(str, words), opens)


def _wrapped(words: str, width: int) -> Iterator[Line]:
    """A paragraph; each of its lines keeps its indentation."""
    for one in bounded(words).split("\n"):
        shown = clean(one)
        indent = shown[: len(shown) - len(shown.lstrip())][: width // 2]
        for piece in _pieces(shown.strip(), width - len(indent), hang=len(indent) > 0):
            yield _fixed(f"{indent}{piece}")


def _pieces(shown: str, width: int, *, hang: bool = False) -> list[str]:
    """Text in pieces that are at most ``width`` columns wide."""
    found = textwrap.wrap(shown, width, subsequent_indent="  " if hang else "", break_on_hyphens=False) or [""]
    # textwrap counts characters, and some of them are two columns wide.
    return [piece for line in found for piece in _halves(line, width)]


def _halves(line: str, width: int) -> list[str]:
    if cell_len(line) <= width:
        return [line]
    middle = len(line) // 2
    return [*_halves(line[:middle], width), *_halves(line[middle:], width)] if middle else [line]


def _table(table: Table, width: int) -> Iterator[Line]:
    names = [name.removeprefix("#") for name in table.columns]
    right = [name.startswith("#") for name in table.columns]
    if not table.rows:
        yield _fixed(f"  {clean(table.empty)}")
        return
    widths = _widths(names, table, width)
    yield _fixed(_row(names, widths, right))
    yield _fixed(GAP.join("─" * one for one in widths))
    for row in table.rows:
        if table.flat:
            yield Line(partial(_made, row, widths, right), row.opens)
        else:
            yield from _wrapping(row, widths, right)


def _made(row: Row, widths: Sequence[int], right: Sequence[bool]) -> str:
    return _row(_cells(row), widths, right)


def _cells(row: Row) -> list[str]:
    return [*row.cells, *((row.later(),) if row.later else ())]


def _widths(names: Sequence[str], table: Table, width: int) -> list[int]:
    """Columns for each column: what it needs, and the last one what is left. If little is left, the widest of the
    others are cut: first those whose words can go below each other, and in words only if that is not enough."""
    needed, words = [cell_len(name) for name in names], [_longest(name) for name in names]
    for row in table.rows:
        for place, cell in enumerate(row.cells):
            if len(cell) > needed[place] or not cell.isascii():
                needed[place] = max(needed[place], cell_len(clean(cell)))
            if not table.flat:
                words[place] = max(words[place], _longest(cell))
    needed[-1] = max(needed[-1], table.last)
    room = width - len(GAP) * (len(names) - 1)
    others = room - min(needed[-1], _LEAST_LAST)
    if not table.flat:
        _cut(needed, words, others)
    _cut(needed, [_LEAST] * len(needed), others)
    needed[-1] = max(min(needed[-1], room - sum(needed[:-1])), 1)
    return needed


def _longest(cell: str) -> int:
    """Columns of the longest word, at most; no more of a long cell than can be shown is looked at."""
    return max((cell_len(clean(word)) for word in cell[:_MOST_LOOKED_AT].split()), default=0)


def _cut(needed: list[int], least: Sequence[int], room: int) -> None:
    """Make the widest columns but the last narrower until they fit, none narrower than its least."""
    while sum(needed[:-1]) > room:
        wide = [place for place in range(len(needed) - 1) if needed[place] > least[place]]
        if not wide:
            return
        needed[max(wide, key=needed.__getitem__)] -= 1


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    rooms = zip(cells, widths, right, strict=True)
    return GAP.join(_padded(clean(cell), width, is_right) for cell, width, is_right in rooms)


def _padded(shown: str, width: int, is_right: bool) -> str:
    size = cell_len(shown)
    if size > width:
        cut = Text(shown)
        cut.truncate(width, overflow="ellipsis", pad=True)
        return cut.plain
    room = " " * (width - size)
    return room + shown if is_right else shown + room


def _wrapping(row: Row, widths: Sequence[int], right: Sequence[bool]) -> Iterator[Line]:
    """A row whose cells are shown completely, below each other if need be."""
    cells = [_cell(cell, width) for cell, width in zip(_cells(row), widths, strict=True)]
    for pieces in zip_longest(*cells, fillvalue=""):
        yield _fixed(_row(pieces, widths, right), row.opens)


def _cell(words: str, width: int) -> list[str]:
    found = [piece for one in bounded(words).split("\n") for piece in _pieces(clean(one), width)]
    return found if len(found) <= _MOST_IN_CELL else [*found[: _MOST_IN_CELL - 1], "…"]


_BARS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float | None]) -> str:
    """A line of bars, one for each value from the smallest to the largest; ``x`` for None."""
    known = [value for value in values if value is not None]
    if not known:
        return "x" * len(values)
    low, high = min(known), max(known)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join("x" if value is None else _BARS[round((value - low) / step)] for value in values)
