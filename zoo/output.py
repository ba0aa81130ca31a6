"""How things are said: the answer on stdout (human or JSON), the talk on stderr. The only place that knows rich."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo.progress import Advance, unheard

if TYPE_CHECKING:
    from rich.console import Console

QUIET_SECONDS = 2.0
"""Work shorter than this is not worth a progress line."""

PLAIN_SECONDS = 10.0
"""Without a terminal a progress line is printed this often."""


@dataclass
class Output:
    """json: the answer is one JSON document. quiet: no talk but warnings and errors."""

    json: bool = False
    quiet: bool = False

    @cached_property
    def _out(self) -> Console:
        from rich.console import Console

        # emoji=False: it would turn ":100:" of "recipe.yaml:100:1" into a picture.
        return Console(soft_wrap=True, highlight=False, emoji=False)

    @cached_property
    def _err(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

    def answer(self, data: Mapping[str, Any], human: str) -> None:
        """The answer: ``data`` with --json, else ``human`` as plain text."""
        if self.json:
            text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, default=str)
            # A file name need not be UTF-8; what of it cannot be written becomes \udcff, as JSON spells it.
            sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
        elif human:
            sys.stdout.write(visible(human).rstrip("\n") + "\n")
        sys.stdout.flush()

    def table(
        self,
        data: Mapping[str, Any],
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        note: str = "",
    ) -> None:
        """The answer as a table: the last columns wrap; numbers (columns that start with ``#``) stand on the right."""
        if self.json:
            self.answer(data, "")
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(visible(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
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
            self._err.print(visible(text), markup=False)

    def warn(self, text: str) -> None:
        self._err.print(f"warning: {visible(text)}", style="yellow", markup=False)

    def error(self, text: str) -> None:
        self._err.print(f"zoo: {visible(text)}", style="bold red", markup=False)

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        """Progress of one piece of work; nothing is shown of work that is over in two seconds."""
        if self.quiet:
            yield unheard
            return
        meter = _Meter(what, total, unit)
        with self._live(meter) if self._err.is_terminal else self._lines(meter):
            yield meter.add

    @contextmanager
    def _lines(self, meter: _Meter) -> Iterator[None]:
        """A line now and then, from a thread, so that work without events shows a sign of life too."""
        over = threading.Event()

        def tell() -> None:
            pause = QUIET_SECONDS
            while not over.wait(pause):
                self.say(f"  {meter.line()}")
                pause = PLAIN_SECONDS

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if meter.seconds() >= QUIET_SECONDS:
            self.say(f"  {meter.line()}")

    @contextmanager
    def _live(self, meter: _Meter) -> Iterator[None]:
        from rich.live import Live
        from rich.text import Text

        class Line:
            def __rich__(self) -> Text:
                return Text(
                    "  " + meter.line() if meter.seconds() >= QUIET_SECONDS else "",
                    no_wrap=True,
                    overflow="ellipsis",
                )

        with Live(Line(), console=self._err, refresh_per_second=4, transient=True):
            yield


class _Meter:
    """What was done, how fast, how long it will still take."""

    def __init__(self, what: str, total: float | None, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0.0
        self.started = time.monotonic()

    def add(self, amount: float) -> None:
        self.done += amount

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def line(self) -> str:
        seconds = max(self.seconds(), 1e-6)
        rate = self.done / seconds
        if self.unit == "B":
            parts = [
                f"{self.done / 1e6:.1f} of {self.total / 1e6:.1f} MB"
                if self.total
                else f"{self.done / 1e6:.1f} MB"
            ]
            parts.append(f"{rate / 1e6:.1f} MB/s")
        else:
            parts = [
                f"{self.done:.10g} of {self.total:.10g} {self.unit}"
                if self.total
                else f"{self.done:.10g} {self.unit}"
            ]
            parts.append(
                f"{rate:.1f} {self.unit}/s"
                if rate >= 1
                else f"{seconds / self.done:.1f} s each"
                if self.done
                else ""
            )
        if self.total:
            parts.insert(0, f"{100 * min(self.done / self.total, 1):.0f} %")
            if 0 < self.done < self.total:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
        return f"{self.what}: " + ", ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def megabytes(size_bytes: float) -> str:
    """Bytes as MB of 10^6 bytes, small ones as kB."""
    if size_bytes < 100_000:
        return f"{size_bytes / 1e3:,.1f} kB"
    return f"{size_bytes / 1e6:,.1f} MB"


def visible(text: str) -> str:
    """Text without characters that a terminal acts upon; they are shown as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in text)
