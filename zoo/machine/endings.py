"""How a child process ended, in words: by a signal, or because memory ran out."""

from __future__ import annotations

import signal

from zoo.errors import AGAIN, MORE_MEMORY, OutOfMemory, ZooError, says_no_memory


def words(code: int) -> str:
    """For a sentence: how a process ended by a signal, or its exit code. code: as ``subprocess`` reports it."""
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL), which the system does when memory runs out"
    if code < 0:
        known = {one.value: one.name for one in signal.Signals}
        return f"ended with signal {-code}" + (f" ({known[-code]})" if -code in known else "")
    return f"ended with exit code {code}"


def fault(what: str, code: int, last: str = "") -> ZooError | None:
    """The error of a process that a signal ended, or that reports that memory ran out; None for any other.

    what: the process, as the subject of a sentence. last: the last line that it wrote.
    """
    if code >= 0:
        return OutOfMemory(what, detail=last) if says_no_memory(last) else None
    memory = code == -signal.SIGKILL or says_no_memory(last)
    return ZooError(
        f"{what} {words(code)}" + (f": {last}" if last else ""),
        safe="Finished work is kept.",
        remedy=MORE_MEMORY if memory else "Check the installation with: zoo doctor",
        again=AGAIN,
    )
