"""Windows over the screen: which command to start, and the keys."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

KEYS = """\
up, down, j, k       move             enter       open the row
page up, page down   move by a page   esc         back
home, end            begin, end       r           read again
/                    filter rows      :           a view: history my-model
t                    light or dark    ctrl+p      all commands
1 runs  2 publications  3 catalog  4 disk and memory  5 drift  6 yanks
7 recipes, and every field of one  8 the form of every command
x   start a command of this screen as a process of its own
c   copy the command of a form, or the first command of this screen
q   quit; no run ends because of that

Mouse: hold shift to select text for copying."""


class Choice(ModalScreen[str | None]):
    """Exact commands; Enter starts one, Escape none."""

    BINDINGS = [("escape,q", "dismiss(None)", "Close")]  # noqa: RUF012 - as the library has it

    def __init__(self, commands: Sequence[str]) -> None:
        super().__init__()
        self.commands = list(commands)

    def compose(self) -> ComposeResult:
        """A sentence and the commands."""
        with Vertical():
            yield Static("Start a command as a process of its own? Enter starts it, Escape closes this.", markup=False)
            yield OptionList(*self.commands, markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """The second key: start it."""
        self.dismiss(self.commands[event.option_index])


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS = [("escape,q,question_mark,enter", "dismiss(None)", "Close")]  # noqa: RUF012 - as the library has it

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(KEYS, markup=False)
