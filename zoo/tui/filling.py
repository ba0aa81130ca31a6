"""Windows for forms: write or choose the value of a field, and see a change before it is written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from zoo.errors import InputError, ZooError
from zoo.files.whole import write_atomic
from zoo.forms import commands, recipes
from zoo.forms.recipes import Change
from zoo.plan import prepare
from zoo.views import fields
from zoo.views.asked import Asked
from zoo.views.screen import clean

UNSET = "(nothing)"


class Writing(ModalScreen[str | None]):
    """A value: written, or taken from a list. None if it stays as it is."""

    BINDINGS = [("escape", "dismiss(None)", "Close")]  # noqa: RUF012 - as the library has it

    def __init__(self, name: str, words: str, value: str, choices: Sequence[str] = ()) -> None:
        super().__init__()
        self._what, self._words, self.value, self.choices = name, words, value, list(choices)

    def compose(self) -> ComposeResult:
        """What the field is, and its value or the values that are allowed."""
        with Vertical():
            yield Static(clean(self._what), classes="what", markup=False)
            yield Static(clean(self._words), markup=False)
            if self.choices:
                yield OptionList(*map(clean, self.choices), UNSET, markup=False)
            else:
                yield Input(self.value, select_on_focus=False)
            yield Static("enter keeps it  esc leaves it as it was", markup=False)

    def on_mount(self) -> None:
        """Begin at the present value."""
        if self.choices:
            listed = self.query_one(OptionList)
            listed.highlighted = self.choices.index(self.value) if self.value in self.choices else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """One of the list."""
        self.dismiss(self.choices[event.option_index] if event.option_index < len(self.choices) else "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """What was written; the line at the foot of the program is another one."""
        event.stop()
        self.dismiss(event.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """It filters nothing."""
        event.stop()


class Changing(ModalScreen[bool]):
    """A change of a file: Enter writes it, Escape does not."""

    BINDINGS = [  # noqa: RUF012 - as the library has it
        ("enter", "dismiss(True)", "Write"), ("escape,q", "dismiss(False)", "Close"),
    ]  # fmt: skip

    def __init__(self, name: str, difference: str) -> None:
        super().__init__()
        self._what, self.difference = name, difference

    def compose(self) -> ComposeResult:
        """The difference."""
        with Vertical():
            yield Static(f"Write this change into {clean(self._what)}?", classes="what", markup=False)
            with VerticalScroll(can_focus=True):
                yield Static("\n".join(map(clean, self.difference.split("\n"))), markup=False)
            yield Static("enter writes it  esc leaves the file as it is", markup=False)


def window(asked: Asked, view: str, name: str) -> Writing | None:
    """The window for a field of the form that a place shows; None for a flag. Raises ZooError."""
    if view == "recipe":
        entry = _entry(asked, name)
        needed = "Required. " if entry.required else ""
        return Writing(entry.name, needed + entry.words, entry.start, entry.choices)
    form, given = _filled(asked)
    one = form.field(name)
    if one.kind == "flag":
        return None
    more = " Several are written as in a shell: one 'two words' three." if one.kind == "list" else ""
    value = shlex.join(given[name]) if one.kind == "list" and name in given else "".join(given.get(name, ()))
    choices = () if one.kind == "list" else one.choices
    return Writing(name, f"{'Required. ' if one.missing else ''}{one.words}{more}", value or one.default, choices)


def line(asked: Asked, name: str, written: str | None) -> str:
    """The command line with another value in a field; of a flag with None, the other state. Raises ZooError."""
    form, given = _filled(asked)
    one = form.field(name)
    return shlex.join(commands.words(form, commands.with_value(form, given, one, _words(one, written, name in given))))


def _words(one: commands.Field, written: str | None, is_on: bool) -> tuple[str, ...]:
    if one.kind == "flag":
        return () if is_on else commands.ON
    return tuple(fields.line(written or "")) if one.kind == "list" else tuple(filter(None, (written,)))


def change(asked: Asked, name: str, written: str) -> Change:
    """A recipe with another value in a field. Raises ZooError."""
    return recipes.changed(fields.recipe_text(asked), name, written)


def write(asked: Asked, made: Change) -> None:
    """Write a changed recipe, atomically, if it is still what it was. Raises ZooError, OSError."""
    if fields.recipe_text(asked) != made.before:
        raise ZooError("the recipe was changed by somebody else", safe="It was not written.", remedy="Change it again")
    write_atomic(prepare.find_recipe(asked.name, asked.settings), made.text)


def _filled(asked: Asked) -> tuple[commands.Form, dict[str, tuple[str, ...]]]:
    found = fields.filled(asked)
    if found is None:
        raise InputError(f"{asked.name} is not a command with a form")
    return found


def _entry(asked: Asked, name: str) -> recipes.Entry:
    data = recipes.data_of(fields.recipe_text(asked))
    return recipes.found(data, name)
