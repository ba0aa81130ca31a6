"""How long work talks about itself: a protocol that rooms accept and the output layer fulfils."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]
"""Call it with how much was done since the last call, in the task's unit."""


def unheard(amount: float) -> None:
    """An Advance that nobody listens to."""
    del amount


class Reporter(Protocol):
    """Where talk goes (never the answer)."""

    def say(self, text: str) -> None:
        """One line of information."""

    def warn(self, text: str) -> None:
        """One line that a person should not miss."""

    def task(self, what: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        """A measured piece of work; ``total`` in ``unit`` ("tokens", "steps", "B"), None if unknown."""


class Silent:
    """A reporter that says nothing."""

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        del text

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        del what, total, unit
        yield unheard
