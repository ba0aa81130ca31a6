"""What the program prints: the answer on stdout (text or JSON), messages on stderr. The only module that uses rich."""

from __future__ import annotations

import codecs
import itertools
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from catalog import unseen
from catalog.secrets import hidden
from zoo.errors import is_no_memory
from zoo.progress import Advance, unheard

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.meters import Meter

QUIET_SECONDS = 2.0
"""Work shorter than this is not worth a progress line."""

EVENT_SECONDS = 1.0
"""How often progress is sent as an event."""

LONGEST_LINE, MOST_LINES = 2000, 400
"""Limits of a message. None of our sentences is longer; only one that repeats its input can be."""

PLAIN_SECONDS = 10.0
"""How often a progress line is printed without a terminal."""

Stamp = Callable[[dict[str, object]], dict[str, object]]
"""An event -> the same with the run and the time."""


@dataclass
class Output:
    """json: the answer is one JSON document. quiet: no messages except warnings and errors.

    events: messages are one JSON object per line, with the key ``event``: say, warning, error, progress, and what
    ``record`` gets. journal: stamps the same objects with the run and the time, and keeps them.
    """

    json: bool = False
    quiet: bool = False
    events: bool = False
    journal: Stamp | None = field(default=None, repr=False, compare=False)
    _meters: list[Meter] = field(default_factory=list, init=False, repr=False, compare=False)
    _heard: float = field(default_factory=time.monotonic, init=False, repr=False, compare=False)
    _resting: bool = field(default=False, init=False, repr=False, compare=False)

    @cached_property
    def _out(self) -> Console:
        from rich.console import Console

        # emoji=False: it would turn ":100:" of "recipe.yaml:100:1" into a picture.
        return Console(soft_wrap=True, highlight=False, emoji=False)

    @cached_property
    def _err(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

    def answer(self, data: Mapping[str, object], human: str, *, annotations: bool = False) -> None:
        """The answer: ``data`` with --json, else ``human`` as plain text. annotations: it is commands for CI."""
        if self.json:
            # A terminal or pipe that is not UTF-8 gets the same data in ASCII.
            ascii_ = codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8"
            text = hidden(json.dumps(data, indent=2, ensure_ascii=ascii_, allow_nan=False, default=str))
            # A file name need not be UTF-8; bytes that cannot be written become \udcff, as JSON spells them.
            sys.stdout.write(_without_commands(text.encode("utf-8", "backslashreplace").decode()) + "\n")
        elif human:
            shown = hidden(human) if annotations else visible(human)
            sys.stdout.write(shown.rstrip("\n") + "\n")
        sys.stdout.flush()
        self._heard = time.monotonic()
        if self.journal and human and len(human) <= LONGEST_LINE:
            self.journal({"event": "answer", "text": bounded(hidden(human))})

    def line(self, data: Mapping[str, object], human: str) -> None:
        """One line of an answer that comes bit by bit: a JSON document on its line with --json."""
        text = hidden(json.dumps(data, allow_nan=False, default=str)) if self.json else visible(human)
        sys.stdout.write(_without_commands(text) + "\n")
        sys.stdout.flush()

    def table(
        self,
        data: Mapping[str, object],
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        note: str = "",
    ) -> None:
        """The answer as a table: the last columns wrap; numbers (columns that start with ``#``) are right-aligned."""
        if self.json:
            self.answer(data, "")
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=Text(visible(title)), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        for name in columns:
            table.add_column(
                name.removeprefix("#"), justify="right" if name.startswith("#") else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        self._out.print(table, soft_wrap=False)
        if note:
            self._out.print(Text(visible(note)))

    def say(self, text: str) -> None:
        if not self.quiet:
            self._talk("say", text, visible(text))
        else:
            self._stamped("say", {"text": bounded(hidden(text))})

    def warn(self, text: str) -> None:
        self._talk("warning", text, f"warning: {visible(text)}", "yellow")

    def error(self, text: str) -> None:
        self._talk("error", text, f"zoo: {visible(text)}", "bold red")

    def show_cursor(self) -> None:
        """Show the terminal's cursor again, even if a signal interrupted a drawing."""
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")
            sys.stderr.flush()

    def _talk(self, kind: str, text: str, line: str, style: str = "") -> None:
        self._heard = time.monotonic()
        # Hidden first: half an address is not recognised as one.
        text, line = bounded(hidden(text)), bounded(line)
        event = self._stamped(kind, {"text": text})
        if self.events:
            self._send(event)
        else:
            self._err.print(line, style=style or None, markup=False)

    def record(self, event: str, /, **facts: object) -> None:
        """An event for programs, which people do not see."""
        made = self._stamped(event, facts)
        if self.events and not self.quiet:
            self._send(made)

    def progress(self) -> None:
        """Keep in the journal how far the innermost work is, unless it is sent as an event anyway."""
        if not self.events and (meters := self._meters[-1:]):
            self._stamped("progress", meters[0].data(over=False))

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        """Progress of one piece of work; nothing is shown for work that ends within two seconds."""
        if self.quiet and self.journal is None:
            yield unheard
            return
        from zoo.meters import Meter  # a start without progress does not pay for it

        meter = Meter(what, total, unit)
        self._meters.append(meter)
        try:
            with nullcontext() if self.quiet else self._shown(meter):
                yield meter.add
        finally:
            self._meters.remove(meter)
            self._heard = time.monotonic()
            if not self.events and meter.seconds() >= EVENT_SECONDS:
                self._stamped("progress", meter.data(over=True))

    @contextmanager
    def attended(self, what: str) -> Iterator[None]:
        """Within the block, a line says that the program still works whenever nothing else has been shown for a while.

        Any step may take long, with an absurd input or on a busy machine, so this does not depend on the step.
        """
        if self.quiet:
            yield
            return
        began, patience = time.monotonic(), QUIET_SECONDS
        self._heard = began

        def look() -> None:
            nonlocal patience
            if self._meters or self._resting or time.monotonic() - self._heard < patience:
                return
            from catalog.words import duration  # a start without progress does not pay for it

            self.say(f"  {what} is still working, {duration(time.monotonic() - began)} so far")
            patience = PLAIN_SECONDS

        with _every(lambda: QUIET_SECONDS / 8, look):
            yield

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Within the block, the program waits for other people, such as the readers of a server."""
        self._resting = True
        try:
            yield
        finally:
            self._resting = False

    def _shown(self, meter: Meter) -> AbstractContextManager[None]:
        if self.events:
            return self._progress_events(meter)
        if not self._err.is_terminal:
            return self._lines(meter)
        # A terminal has one such line, which shows the innermost work.
        return self._live() if len(self._meters) == 1 else nullcontext()

    def _stamped(self, kind: str, data: Mapping[str, object]) -> dict[str, object]:
        event = {"event": kind, **data}
        return self.journal(event) if self.journal else event

    def _event(self, kind: str, **data: object) -> None:
        self._send(self._stamped(kind, data))

    def _send(self, event: dict[str, object]) -> None:
        # One write call, so that lines of several threads do not mix.
        line = hidden(json.dumps(event, allow_nan=False, default=str))
        sys.stderr.write(_without_commands(line) + "\n")
        sys.stderr.flush()

    @contextmanager
    def _progress_events(self, meter: Meter) -> Iterator[None]:
        with _every(lambda: EVENT_SECONDS, lambda: self._event("progress", **meter.data(over=False))):
            self._event("progress", **meter.data(over=False))
            yield
        self._event("progress", **meter.data(over=True))

    @contextmanager
    def _lines(self, meter: Meter) -> Iterator[None]:
        """Print a line now and then from a thread, so that work without events also shows that it is running."""
        pauses = itertools.chain([QUIET_SECONDS], itertools.repeat(PLAIN_SECONDS))
        said = [""]

        def tell() -> None:
            from catalog.words import duration

            line = meter.line()
            waited = f", {duration(meter.seconds())} so far" if line == said[0] else ""
            self.say(f"  {line}{waited}")
            said[0] = line

        with _every(lambda: next(pauses), tell):
            yield
        if meter.seconds() >= QUIET_SECONDS and meter.line() != said[0]:
            self.say(f"  {meter.line()}")

    @contextmanager
    def _live(self) -> Iterator[None]:
        from rich.live import Live
        from rich.text import Text

        meters = self._meters

        class Line:
            def __rich__(self) -> Text:
                lines = [one.line() for one in meters[-1:] if meters[0].seconds() >= QUIET_SECONDS]
                return Text(
                    "  " + lines[0] if lines else "",
                    no_wrap=True,
                    overflow="ellipsis",
                )

        with Live(Line(), console=self._err, refresh_per_second=4, transient=True):
            yield


@contextmanager
def _every(pause: Callable[[], float], tell: Callable[[], None]) -> Iterator[None]:
    """Calls ``tell`` after each ``pause`` from a separate thread, until the block ends.

    A line that no memory is left for is left out: the work itself reports that memory ran out, if it needs more.
    """
    over = threading.Event()

    def run() -> None:
        while not over.wait(pause()):
            try:
                tell()
            except Exception as error:
                if not is_no_memory(error):
                    raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def bounded(text: str) -> str:
    """Text with its long lines cut: they may come from the input that a message is about."""
    lines = text.split("\n")
    kept = [
        one if len(one) <= LONGEST_LINE else f"{one[: LONGEST_LINE - 4]} ..." for one in lines[:MOST_LINES]
    ]
    return "\n".join([*kept, "..."] if len(lines) > MOST_LINES else kept)


def visible(text: str) -> str:
    """Text with control characters shown as escapes, without passwords, and without commands for CI."""
    return _without_commands(hidden(unseen.visible(text, kept="\n\t")))


def _without_commands(text: str) -> str:
    """Text in which CI finds no command: a name in it may be that of a stranger.

    GitHub Actions obeys a line that starts with ``::``, and an older form, ``##[``, anywhere.
    """
    if "::" not in text and "##[" not in text:
        return text
    return re.sub(r"(?m)^(\s*):(?=:)|#(?=#\[)", lambda found: (found[1] or "") + _ESCAPED[found[0][-1]], text)


_ESCAPED = {":": "\\u003a", "#": "\\u0023"}
