"""How work reports its progress: a protocol that rooms accept and the output layer implements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]
"""Call it with how much was done since the last call, in the task's unit."""


def unheard(amount: float) -> None:
    """An Advance that is ignored."""
    del amount


class Reporter(Protocol):
    """Where messages go (never the answer)."""

    def say(self, text: str) -> None:
        """One line of information."""

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""

    def task(self, what: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        """A measured piece of work; ``total`` in ``unit`` ("tokens", "steps", "B"), None if unknown."""


_listeners: list[Reporter] = []


@contextmanager
def heard_by(report: Reporter) -> Iterator[None]:
    """Within the block, ``report`` receives waits from rooms that have no reporter."""
    _listeners.append(report)
    try:
        yield
    finally:
        _listeners.remove(report)


def murmur(text: str) -> bool:
    """Report that something takes longer; False if nobody listens."""
    for report in _listeners[-1:]:
        report.warn(text)
    return bool(_listeners)


class Silent:
    """A reporter that prints nothing."""

    def say(self, text: str) -> None:
        del text

    def warn(self, text: str) -> None:
        del text

    @contextmanager
    def task(self, what: str, total: float | None, unit: str) -> Iterator[Advance]:
        del what, total, unit
        yield unheard
