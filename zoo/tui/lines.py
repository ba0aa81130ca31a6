"""The widget that shows the lines of a screen, with a cursor. Only lines that are visible are made."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from zoo.views.screen import Line, Link, Screen, Table, lines

MARKS = ("  ", "> ")
"""Before each line, and before that with the cursor: colour alone says nothing."""
_REVERSED = Style(reverse=True)


class Lines(ScrollView, can_focus=True):
    """Lines of one screen. They are laid out again when the terminal changes its size."""

    BINDINGS = [  # noqa: RUF012 - as the library has it
        ("up,k", "move(-1)", "Up"), ("down,j", "move(1)", "Down"), ("pageup,ctrl+b", "page(-1)", "Page up"),
        ("pagedown,space", "page(1)", "Page down"), ("home", "edge(0)", "Begin"), ("end,G", "edge(1)", "End"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self.cursor = 0
        self._shown: Screen | None = None
        self._width = 0

    @property
    def columns(self) -> int:
        """Of the text, without the mark and the place of the scroll bar."""
        return self.size.width - len(MARKS[0]) - self.scrollbar_size_vertical

    @property
    def link(self) -> Link | None:
        """What Enter opens on the line with the cursor."""
        return self.lines[self.cursor].opens if self.lines else None

    def show(self, screen: Screen, *, new: bool, at_end: bool = False) -> None:
        """Show a screen. new: it is another one, so the cursor goes to its first row. at_end: keep to the last line, if
        the cursor is there."""
        has_rows = any(isinstance(part, Table) and part.rows and part.rows[0].opens for part in screen.parts)
        # A list that had no rows has the first one.
        new = new or (has_rows and not any(line.opens for line in self.lines))
        was_last = self.cursor >= len(self.lines) - 1
        self._shown = screen
        self._lay_out()  # on the same row as before, wherever it is now
        if new:
            self.cursor = next((place for place, line in enumerate(self.lines) if line.opens), 0) if has_rows else 0
            self.scroll_to(y=0, animate=False)
        if at_end and (new or was_last):
            self.cursor = len(self.lines) - 1
        self._keep_visible()

    def on_resize(self, event: Resize) -> None:
        """Lay the lines out for the new width."""
        del event
        if self._shown and self.columns != self._width:
            self._lay_out()
            self._keep_visible()

    def _lay_out(self) -> None:
        assert self._shown
        link = self.link if self.cursor < len(self.lines) else None
        self._width = self.columns
        self.lines = lines(self._shown, self.columns)
        if link and self.lines[min(self.cursor, len(self.lines) - 1)].opens != link:
            self.cursor = next((place for place, line in enumerate(self.lines) if line.opens == link), self.cursor)
        self.virtual_size = Size(self.size.width, len(self.lines))
        self.refresh()

    def _keep_visible(self) -> None:
        self.cursor = min(max(self.cursor, 0), max(len(self.lines) - 1, 0))
        top, height = round(self.scroll_offset.y), max(self.size.height, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the terminal."""
        place = round(self.scroll_offset.y) + y
        if place >= len(self.lines):
            return Strip.blank(self.size.width, self.rich_style)
        is_here = place == self.cursor
        style = self.rich_style + _REVERSED if is_here and self.has_focus else self.rich_style
        text = MARKS[is_here] + self.lines[place].text
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, style)

    def move_to(self, line: int) -> None:
        """Put the cursor on a line, or the last one."""
        self.cursor = line
        self._keep_visible()

    def action_move(self, count: int) -> None:
        """Move the cursor."""
        self.move_to(self.cursor + count)

    def action_page(self, count: int) -> None:
        """Move the cursor by what is visible."""
        self.action_move(count * max(self.size.height - 1, 1))

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first or last line."""
        self.move_to((len(self.lines) - 1) * end)
