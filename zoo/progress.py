"""How work reports its progress: a protocol that rooms accept and the output layer implements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

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


@runtime_checkable
class Recording(Protocol):
    """A reporter that keeps a journal of the run."""

    def record(self, event: str, /, **facts: object) -> None:
        """An event for programs: a plan, the beginning or end of a step, what was published."""


class _Waits:
    """Who hears of waits where no reporter can be handed in: inside the Hub client, which reports its retries in a log
    of the complete process, and in the reading of journals.

    A listener belongs to the work of a thread, so two threads that work for different people do not hear each other. A
    thread that a library starts has no listener of its own; what it reports goes to the only one there is, if there is
    one. The one object below lives as long as the process, as that log does.
    """

    def __init__(self) -> None:
        self._here: ContextVar[Reporter | None] = ContextVar("here", default=None)
        self._open: list[Reporter] = []

    @contextmanager
    def heard_by(self, report: Reporter) -> Iterator[None]:
        before = self._here.set(report)
        self._open.append(report)
        try:
            yield
        finally:
            self._open.remove(report)
            self._here.reset(before)

    def own(self) -> Reporter | None:
        """The listener of this thread's work."""
        return self._here.get()

    def listener(self) -> Reporter | None:
        """The same, else the only one in the process."""
        if (here := self.own()) is not None:
            return here
        every = list({id(one): one for one in list(self._open)}.values())
        return every[0] if len(every) == 1 else None


_WAITS = _Waits()


def heard_by(report: Reporter) -> AbstractContextManager[None]:
    """Within the block, ``report`` receives waits from rooms that have no reporter. Only for work of this thread."""
    return _WAITS.heard_by(report)


def murmur(text: str) -> bool:
    """Report that something takes longer; False if nobody listens."""
    report = _WAITS.listener()
    if report is not None:
        report.warn(text)
    return report is not None


def record(event: str, /, **facts: object) -> None:
    """An event of this run that programs read, where somebody keeps a journal of it."""
    report = _WAITS.listener()
    if isinstance(report, Recording):
        report.record(event, **facts)


def overheard(what: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
    """A measured piece of work in a room that has no reporter; see ``Reporter.task``."""
    return (_WAITS.listener() or Silent()).task(what, total, unit)


def carried(work: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """``work`` for another thread, whose waits are reported to the same reporter."""
    report = _WAITS.own()

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
