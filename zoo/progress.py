"""How work reports its progress: a protocol that rooms accept and the output layer implements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import ParamSpec, Protocol, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

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


_hearing: ContextVar[Reporter | None] = ContextVar("hearing", default=None)
"""Who hears of waits where no reporter can be handed in: inside the Hub client, which reports its tries in a log of the
whole process, and in the reading of journals. It belongs to the work that is going on, so two threads that work for
different people do not hear each other; ``carried`` takes it along to a thread that works for the same one."""


@contextmanager
def heard_by(report: Reporter) -> Iterator[None]:
    """Within the block, ``report`` receives waits from rooms that have no reporter. Only for work of this thread."""
    before = _hearing.set(report)
    try:
        yield
    finally:
        _hearing.reset(before)


def murmur(text: str) -> bool:
    """Report that something takes longer; False if nobody listens."""
    report = _hearing.get()
    if report is not None:
        report.warn(text)
    return report is not None


def carried(work: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """``work`` for another thread: whoever hears of waits here hears of its waits too."""
    report = _hearing.get()

    def elsewhere(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        if report is None:
            return work(*given, **named)
        with heard_by(report):
            return work(*given, **named)

    return elsewhere


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
