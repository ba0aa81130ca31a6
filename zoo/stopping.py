"""Stopping: SIGTERM and SIGHUP end a command as Ctrl-C does, and its child processes end with it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


_noted: list[int] = []
"""The signals that this process heard since ``heard`` began."""


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end. It is cleaned up after in the same way as Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def is_stop(error: BaseException) -> bool:
    """Whether a signal is behind an error. In the middle of an import, other programs make an error of theirs of it,
    or a panic that nothing else catches."""
    if isinstance(error, KeyboardInterrupt):
        return True
    behind = error.__cause__ or error.__context__
    panics = not isinstance(error, Exception | SystemExit | GeneratorExit)
    return bool(_noted) and (panics or (behind is not None and is_stop(behind)))


def exit_code(error: BaseException | None) -> int:
    """128 and the number of the signal behind ``error``, as a shell counts; 130 for Ctrl-C."""
    behind = error
    while behind is not None:
        if isinstance(behind, Stopped):
            return 128 + behind.number
        behind = behind.__cause__ or behind.__context__
    is_panic = error is not None and not isinstance(error, Exception | KeyboardInterrupt)
    return 128 + (_noted[0] if is_panic and _noted else signal.SIGINT)


@contextmanager
def heard() -> Iterator[None]:
    """Within the block the signals raise Stopped, but only once: another signal must not interrupt the cleanup. Ctrl-C
    raises KeyboardInterrupt every time, as ever.

    A signal that this process was started to ignore, as by nohup, stays ignored. Only the main thread receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard_now = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]

    _noted.clear()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        _noted.append(number)
        for one in heard_now:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    def interrupt(number: int, frame: FrameType | None) -> None:
        _noted.append(number)
        signal.default_int_handler(number, frame)

    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    for number in heard_now:
        signal.signal(number, stop)
    if is_usual:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if is_usual:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in heard_now:
            signal.signal(number, before[number])


@contextmanager
def kept() -> Iterator[None]:
    """Whatever a library listens to within the block, signals do afterwards what they did before it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """A child process that the system ends when this process is gone for any reason. Options as for Popen."""
    import subprocess

    return subprocess.Popen(bound(command), **options)


def bound(command: Sequence[str]) -> list[str]:
    """Wrap the command so that its process ends with this one; the thread that starts it must wait for it."""
    return [sys.executable, "-IS", str(Path(__file__).resolve()), str(os.getpid()), *command]


def _become(parent: int, command: Sequence[str]) -> None:
    """Replace this process by the command, which the system kills when its parent is gone (Linux only)."""
    import ctypes

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            sys.exit(1)  # the parent was gone before it could be watched
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
