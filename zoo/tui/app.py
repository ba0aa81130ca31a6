"""The program in the terminal: places to look at, commands to start, forms to fill in."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult, SystemCommand
from textual.screen import Screen as Window
from textual.widgets import Static

from zoo.errors import ZooError
from zoo.progress import heard_by
from zoo.tui.asking import Choice, Help
from zoo.tui.child import Child, startable
from zoo.tui.silent import Silent
from zoo.tui.viewer import Place, Viewer
from zoo.tui.windows import Changing
from zoo.views.asked import Asked
from zoo.views.screen import FIELD, Screen, clean
from zoo.views.table import VIEWS

if TYPE_CHECKING:
    from zoo.forms.recipes import Change

_CHILD = "started"
"""The view of the command that this program started."""


class ZooApp(Viewer):
    """asked: settings, board and forms. first: where it begins. read_only: it starts no command and changes no file."""

    BINDINGS = [  # noqa: RUF012 - as the library has it
        ("x", "start", "Start"), ("c", "copy", "Copy"), ("question_mark,f1", "keys", "Keys"),
    ]  # fmt: skip

    def __init__(self, asked: Asked, first: Place, *, read_only: bool) -> None:
        super().__init__(asked, first, read_only=read_only)
        self.child: Child | None = None

    def compose(self) -> ComposeResult:
        """What is shown, and the command line of a form."""
        yield from super().compose()
        yield Static("", id="command", markup=False)

    @property
    def always(self) -> bool:
        """A command that works may print at any time."""
        return self.place.view == _CHILD

    def facts(self, place: Place) -> tuple[object, Screen]:
        """Also of the command that was started."""
        if place.view != _CHILD:
            return super().facts(place)
        assert self.child
        return None, self.child.screen()

    def head(self, state: str = "") -> None:
        """The title, and below all the exact command of a form."""
        super().head(state)
        line = self.screen_stack[0].query_one("#command", Static)
        line.styles.display = "block" if self.place.view == "form" and self.place.name else "none"
        line.update(clean(f"$ zoo {self.place.name}"))

    def action_open(self) -> None:
        """Show what the row with the cursor is about; of a form, its field."""
        link = self.lines_shown.link
        if link and link[0] == FIELD:
            self._attempt(partial(self._fill, link[1]))
        else:
            super().action_open()

    def _attempt(self, act: partial[None]) -> None:
        """Do something; what goes wrong is said, and nothing ends."""
        try:
            act()
        except (ZooError, OSError) as error:
            self.notify(clean(str(error)), severity="error", markup=False, timeout=10)

    def _fill(self, name: str) -> None:
        """Write the value of a field of a form; a flag is switched immediately."""
        place = self.place
        if place.view == "recipe" and self.read_only:
            self.notify("This is read-only: no file is changed.", markup=False)
            return
        # It imports what plans recipes, which takes longer than the first picture; below, too.
        from zoo.tui import filling

        window = filling.window(self.asked_for(place), place.view, name)
        if window is None:
            self._written(place, name, None)
        else:
            self.push_screen(window, lambda text: None if text is None else self._written(place, name, text))

    def _written(self, place: Place, name: str, text: str | None) -> None:
        act = self._changed if place.view == "recipe" else self._lined
        self._attempt(partial(act, place, name, text))

    def _lined(self, place: Place, name: str, text: str | None) -> None:
        from zoo.tui import filling

        self.replace_place(Place("form", filling.line(self.asked_for(place), name, text)))

    def _changed(self, place: Place, name: str, text: str | None) -> None:
        from zoo.tui import filling

        made = filling.change(self.asked_for(place), name, text or "")
        if made.text == made.before:
            self.notify("Nothing is different.", markup=False)
            return

        def decide(is_wanted: bool | None) -> None:
            if is_wanted:
                self._attempt(partial(self._write, place, made))

        self.push_screen(Changing(place.name, made.difference), decide)

    def _write(self, place: Place, made: Change) -> None:
        from zoo.tui import filling

        filling.write(self.asked_for(place), made)
        self.read()

    def action_keys(self) -> None:
        """Show the keys."""
        self.push_screen(Help())

    def action_copy(self) -> None:
        """Copy the command of a form, or the first command of the screen."""
        commands = self.found.commands if self.found else ()
        is_form = self.place.view == "form" and self.place.name
        if is_form or commands:
            line = clean(f"zoo {self.place.name}" if is_form else commands[0])
            self.copy_to_clipboard(line)
            self.notify(f"Copied: {line}", markup=False)

    def action_start(self) -> None:
        """Choose a command of the screen, and start it."""
        if self.read_only:
            self.notify("This is read-only: no command is started.", markup=False)
            return
        is_form = self.place.view == "form"
        found = [one for one in (self.found.commands if self.found else ()) if startable(one, exact=is_form)]
        if found:
            self.push_screen(Choice([clean(one) for one in found]), partial(self._start, exact=is_form))
        else:
            why = _FORM if is_form else _NONE
            self.notify(why if self.found else "This screen is still being read.", markup=False)

    def _start(self, command: str | None, *, exact: bool) -> None:
        if words := startable(command or "", exact=exact):
            self.child = Child(words, self.asked.settings, self.lines_shown.columns)
            self.action_go(_CHILD, shlex.join(words))

    def get_system_commands(self, screen: Window[object]) -> Iterable[SystemCommand]:
        """For the palette: every view, the form of every command, and what keys do."""
        del screen
        for name, view in VIEWS.items():
            needs = view.name and not view.name.startswith("[")
            act = partial(self.action_ask, "go") if needs else partial(self.action_go, name)
            yield SystemCommand(f"{name} {view.name}".strip(), view.words, act)
        for name, words in self.asked.forms.commands.items():
            yield SystemCommand(f"form {name}", words, partial(self.action_go, "form", name))
        yield SystemCommand("light", "Light or dark colours", self.action_light)
        yield SystemCommand("keys", "Show all keys", self.action_keys)
        yield SystemCommand("quit", "Close this program; no run ends because of that", self.exit)


_FORM = "Fields are missing or wrong, or the command is not started from here."
_NONE = "This screen has no command that can be started as it is."


def run(asked: Asked, view: str, *, read_only: bool) -> None:
    """Show the program until somebody closes it. Raises what a view raised that no view should raise."""
    app = ZooApp(dataclasses.replace(asked, name=""), Place(view, asked.name), read_only=read_only)
    with heard_by(Silent()):
        app.run()
    if app.fault:
        raise app.fault
