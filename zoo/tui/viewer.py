"""A title, the lines of a screen, a line of keys: shows places, and reads them again when they change. Every fact comes
from ``zoo.views``."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Input, Static

from zoo import extras, stopping
from zoo.errors import MissingExtra, ZooError
from zoo.tui.lines import Lines
from zoo.views.asked import Asked
from zoo.views.screen import Screen, clean, filtered
from zoo.views.table import VIEWS, look

EVERY_SECONDS = 0.5
"""How often a view that changes is looked at."""
PATIENCE_SECONDS = 5.0
"""From a signal to the end, at most."""
_NUMBERED = ("runs", "publication", "catalog", "machine", "drift", "yanks", "recipe", "form")
_KEYS = "? keys  q quit  enter open  esc back  / filter  : go to  x start  1-8 views"
"""First what helps a stranger: a narrow terminal cuts the others."""
_ALONE = _KEYS.replace("  x start", "")


@dataclasses.dataclass(frozen=True)
class Place:
    """What is shown: a view and its name."""

    view: str
    name: str = ""


class Viewer(App[None]):
    """asked: settings and board. first: where it begins. read_only: the title shows it."""

    CSS_PATH = "app.tcss"
    BINDINGS = [  # noqa: RUF012 - as the library has it
        ("q,ctrl+c", "quit", "Quit"), ("enter", "open", "Open"), ("escape,backspace,left", "leave", "Back"),
        # Before any other key is handed on: what is typed next belongs into the line at the foot.
        Binding("slash", "ask('filter')", "Filter", priority=True),
        Binding("colon", "ask('go')", "Go to", priority=True),
        # What is typed next is no longer for that line.
        Binding("enter", "accept", "Accept", priority=True), Binding("escape", "abandon", "Abandon", priority=True),
        ("r", "again", "Read again"),
        ("t", "light", "Light or dark"),
        *((str(number), f"go('{view}')", view) for number, view in enumerate(_NUMBERED, 1)),
    ]  # fmt: skip
    TITLE = "zoo"

    def __init__(self, asked: Asked, first: Place, *, read_only: bool) -> None:
        super().__init__()
        self.asked, self.read_only = asked, read_only
        self.places = [first]
        self.fault: BaseException | None = None
        self.found: Screen | None = None
        self._words = self._asks = ""
        self._stamp: object = None
        self._left: list[tuple[str, int]] = []
        self._cursor: int | None = None

    def compose(self) -> ComposeResult:
        """Three parts from top to bottom, and a line to write in."""
        yield Static("", id="title", markup=False)
        yield Lines()
        yield Input(id="ask")
        yield Static(_ALONE if self.read_only else _KEYS, id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin with the first place."""
        self.lines_shown.focus()
        if not self.is_headless:
            for number in stopping.SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, self._stop, number)
        self._arrive()
        self.set_interval(EVERY_SECONDS, self._tick)
        self.call_after_refresh(self.run_worker, self._fits, group="fits")

    async def _fits(self) -> None:
        """Look whether the library has a version that this program supports. That takes longer than all else that
        this program does before its first picture, so it comes after that."""
        try:
            await asyncio.to_thread(extras.require, "The program in the terminal", "textual")
        except MissingExtra as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """End; the error is raised when the terminal is restored."""
        self.fault = error
        self.exit()

    def _stop(self, number: int) -> None:
        """End in order: an exception would end the library's loop in the middle of something.

        Where the terminal is gone, the library waits for ever for it to take what is written. Nothing is left to do
        then: this program changes nothing, and what it started is a process of its own.
        """
        self.fault = stopping.Stopped(number)
        last = threading.Timer(PATIENCE_SECONDS, os._exit, (stopping.exit_code(self.fault),))
        last.daemon = True
        last.start()
        self.exit()

    @property
    def lines_shown(self) -> Lines:
        """The lines of the screen below all windows."""
        return self.screen_stack[0].query_one(Lines)

    @property
    def _ask(self) -> Input:
        return self.screen_stack[0].query_one(Input)

    @property
    def _is_asking(self) -> bool:
        """Whether keys go to the line at the foot. The widget itself hears of that later."""
        return self.focused is self._ask

    @property
    def always(self) -> bool:
        """Whether what is shown now may change at any time, so that it is read at every look."""
        return False

    @property
    def place(self) -> Place:
        """What is shown now."""
        return self.places[-1]

    def _arrive(self, words: str = "", cursor: int | None = None) -> None:
        """Show the newest place, as soon as it is read, with a filter and the cursor on a line."""
        self.found, self._stamp, self._words, self._cursor = None, None, words, cursor
        self.head("reading ...")
        self.read()

    def read(self) -> None:
        """Read the present place, and show it if it has changed."""
        # The function and not its coroutine, which would be left unawaited if the next one comes first.
        self.run_worker(self._look, exclusive=True, group="look")  # type: ignore[arg-type]  # its union has three kinds

    async def _look(self) -> None:
        """Read the present place in a thread, and show it if it is still wanted and has changed."""
        place = self.place
        try:
            stamp, found = await asyncio.to_thread(self.facts, place)
        except Exception as error:  # noqa: BLE001 - it is raised again when the terminal is restored
            self._fail(error)
            return
        self._stamp = stamp
        if place != self.place or found == self.found:
            return
        is_new, self.found = self.found is None, found
        self.head()
        self._show(new=is_new)

    def facts(self, place: Place) -> tuple[object, Screen]:
        """The screen of a place, or a sentence why it cannot be shown, and its stamp before it was read."""
        asked = self.asked_for(place)
        stamp = self._stamp_of(place)
        try:
            return stamp, look(place.view, asked)
        except (ZooError, OSError, ImportError) as error:
            known = extras.explain(error) or error
            return stamp, Screen(f"{place.view} cannot be shown", (str(known),))

    def asked_for(self, place: Place) -> Asked:
        """What a view is asked for at a place."""
        return dataclasses.replace(self.asked, name=place.name)

    def _stamp_of(self, place: Place) -> object:
        """A cheap value that changes when the view does."""
        stamp = VIEWS[place.view].stamp if place.view in VIEWS else None
        return stamp(self.asked_for(place)) if stamp else None

    def _tick(self) -> None:
        """Read the place again if it may have changed."""
        if self.found is None:
            return
        if self.always or (self._stamp is not None and self._stamp_of(self.place) != self._stamp):
            self.read()

    def _show(self, *, new: bool) -> None:
        if self.found:
            shown = filtered(self.found, self._words) if self._words else self.found
            self.lines_shown.show(shown, new=new, at_end=self.place.view == "log" or self.always)
            if new and self._cursor is not None:
                self.lines_shown.move_to(self._cursor)
            self._cursor = None

    def head(self, state: str = "") -> None:
        """The title."""
        parts = [f"{self.place.view} {self.place.name}".strip(), "read-only" if self.read_only else "", state]
        parts.append(f"filter: {self._words}" if self._words else "")
        title = f"zoo {clean(self.asked.settings.root.name)}: {clean(', '.join(filter(None, parts)))}"
        self.screen_stack[0].query_one("#title", Static).update(title)

    def action_go(self, view: str, name: str = "") -> None:
        """Show another place."""
        if Place(view, name) != self.place:
            # With its filter and cursor, as somebody who comes back left it.
            self._left.append((self._words, self.lines_shown.cursor))
            self.places.append(Place(view, name))
            self._arrive()

    def action_open(self) -> None:
        """Show what the row with the cursor is about. Until a place is read, the rows are those of another one."""
        if self.found and (link := self.lines_shown.link):
            self.action_go(*link)

    def action_leave(self) -> None:
        """Leave the filter, else show the place before."""
        if self._words:
            self._filter("")
        elif len(self.places) > 1:
            self.places.pop()
            self._arrive(*self._left.pop())

    def replace_place(self, place: Place) -> None:
        """Show another state of the same place; the cursor stays on its row."""
        self.places[-1] = place
        self.head()
        self.read()

    def action_again(self) -> None:
        """Read the place again."""
        self.read()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Keys with priority are ordinary ones in windows over the screen; some are only for the line at the foot, and
        the others are not."""
        del parameters
        if action not in ("ask", "accept", "abandon"):
            return True
        return len(self.screen_stack) == 1 and self._is_asking == (action != "ask")

    def action_ask(self, what: str) -> None:
        """Write in the line at the foot: a filter, or where to go."""
        is_filter = what == "filter"
        self._ask.placeholder = "words that rows must have" if is_filter else "a view and a name: history my-model"
        self._asks = what
        self._ask.value = self._words if is_filter else ""
        self._ask.styles.display = "block"
        # At this very moment, not a message later: the next key may have been typed already.
        self.screen.set_focus(self._ask)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is written."""
        if self._asks == "filter" and self._is_asking:
            self._filter(event.value)

    async def action_accept(self) -> None:
        """Keep the filter, or go."""
        typed = asyncio.Event()
        self._ask.call_later(typed.set)  # after the keys that it has not handled yet
        await typed.wait()
        words = self._ask.value.strip()
        self._close()
        if self._asks == "filter":
            self._filter(words)
        elif words:
            view, _, name = words.partition(" ")
            self.action_go(view, name.strip())

    def action_abandon(self) -> None:
        """Leave the line at the foot; all rows are shown again."""
        self._close()
        self._filter("")

    def _close(self) -> None:
        self._ask.styles.display = "none"
        self.screen.set_focus(self.lines_shown)

    def _filter(self, words: str) -> None:
        self._words = words
        self.head()
        self._show(new=True)

    def action_light(self) -> None:
        """From dark to light and back."""
        self.theme = "textual-light" if self.theme == "textual-dark" else "textual-dark"
