"""What the processes that this program starts have in common: they end with it, and their crashes become sentences."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1

_DAMAGED = "llama.cpp crashed; most likely the file is damaged. Download it again and compare its sha256"

CRASHES: dict[int, str] = {
    signal.SIGABRT: _DAMAGED,
    signal.SIGSEGV: _DAMAGED,
    signal.SIGFPE: _DAMAGED,
    signal.SIGBUS: "reading it failed partway: the storage is failing, or the file was cut during the run",
    signal.SIGILL: "this llama.cpp was compiled for another processor. Compile it on this machine",
    signal.SIGKILL: "the process was killed, most likely because memory ran out. "
    "Use a smaller file, a smaller --context, or stop other programs",
}
"""What the signal that ended a process means to a person."""


def die_with_parent() -> None:
    """In a new process: ask Linux to end it when this program dies, even by SIGKILL; without effect elsewhere."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
