"""Windows over the screen: write or choose the value of a field, and see a change before it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from zoo.views.screen import clean

UNSET = "(nothing)"
_KEEP = "enter keeps it  esc leaves it as it was"


class Writing(ModalScreen[str | None]):
    """A value: written, or taken from a list. None if it stays as it is. choices: the only ones; offers: some of many.
    """

    BINDINGS = [("escape", "dismiss(None)", "Close")]  # noqa: RUF012 - as the library has it

    def __init__(
        self, name: str, words: str, value: str, choices: Sequence[str] = (), offers: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._what, self._words, self.value = name, words, value
        self.choices, self.offers = list(choices), list(offers)

    def compose(self) -> ComposeResult:
        """What the field is, and its value or the values that are allowed."""
        with Vertical():
            yield Static(clean(self._what), classes="what", markup=False)
            yield Static(clean(self._words), markup=False)
            if self.choices:
                yield OptionList(*map(clean, self.choices), UNSET, markup=False)
            else:
                yield Input(self.value, select_on_focus=False)
            if self.offers:
                yield OptionList(*map(clean, self.offers), markup=False)
            yield Static(f"{_KEEP}  tab goes to the list" if self.offers else _KEEP, markup=False)

    def on_mount(self) -> None:
        """Begin at the present value."""
        if self.choices:
            listed = self.query_one(OptionList)
            listed.highlighted = self.choices.index(self.value) if self.value in self.choices else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """One of the list."""
        listed = self.choices or self.offers
        self.dismiss(listed[event.option_index] if event.option_index < len(listed) else "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """What was written; the line at the foot of the program is another one."""
        event.stop()
        self.dismiss(event.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """It filters nothing."""
        event.stop()


class Several(ModalScreen[str | None]):
    """Some of the only values that a list may have. The result is written as ``join`` writes it; None if it stays."""

    BINDINGS = [  # noqa: RUF012 - as the library has it
        Binding("enter", "keep", "Keep", priority=True), ("escape", "dismiss(None)", "Close"),
        ("space", "mark", "Mark"),
    ]  # fmt: skip

    def __init__(
        self, name: str, words: str, value: Sequence[str], choices: Sequence[str], join: Callable[[Sequence[str]], str]
    ) -> None:
        super().__init__()
        self._what, self._words, self._before = name, words, list(value)
        self.choices, self._join = list(choices), join
        self._marked = {one for one in self.choices if one in self._before}

    def compose(self) -> ComposeResult:
        """What the field is, and the values, marked where they are in it."""
        with Vertical():
            yield Static(clean(self._what), classes="what", markup=False)
            yield Static(clean(self._words), markup=False)
            yield OptionList(*map(self._row, self.choices), markup=False)
            yield Static(f"space marks one  {_KEEP}", markup=False)

    def _row(self, one: str) -> str:
        """With a mark that is seen without colours, which that of the library's own list of this kind is not."""
        return f"[{'x' if one in self._marked else ' '}] {clean(one)}"

    def on_mount(self) -> None:
        """Begin at the first value."""
        self.query_one(OptionList).highlighted = 0

    def action_mark(self) -> None:
        """Mark the value with the cursor, or take its mark away."""
        place = self.query_one(OptionList).highlighted
        if place is not None:
            self._mark(place)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """The same by mouse."""
        self._mark(event.option_index)

    def _mark(self, place: int) -> None:
        self._marked ^= {self.choices[place]}
        self.query_one(OptionList).replace_option_prompt_at_index(place, self._row(self.choices[place]))

    def action_keep(self) -> None:
        """What was in it keeps its order; what is new comes after it."""
        kept = [one for one in self._before if one in self._marked]
        self.dismiss(self._join([*kept, *(one for one in self.choices if one in self._marked and one not in kept)]))


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
