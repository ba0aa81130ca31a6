"""Train in several processes, from the program's side: start them, show what they report, and name who failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from catalog import jsontext
from catalog.jsonvalues import table, whole
from catalog.shapes import WrongShape, shaped
from zoo import stopping
from zoo.errors import AGAIN, ZooError
from zoo.machine import endings
from zoo.progress import Reporter
from zoo.training.files import read_json
from zoo.training.handover import ENDED, FAILED, LOG, MARK, SEE_LOG, Ended

STOPPED_WITHIN_SECONDS = 40
"""torchrun gives its processes 30 s before it kills them."""
KEPT = "The checkpoints are kept."


def train_together(folder: Path, processes: int, steps: int, threads: int, report: Reporter) -> int | None:
    """Train as the ``handover`` in ``folder`` says; the step of the checkpoint that was continued from, or None.

    Raises ZooError if a process fails: then all have ended. They end, too, if this process does, for any reason.
    """
    command = [sys.executable, "-P", "-m", "zoo.training.launch", str(folder), str(processes)]
    resumed = None
    with (folder / LOG).open("wb") as log:
        process = stopping.start(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_environment(threads)
        )
        try:
            assert process.stdout
            resumed = _listen(process.stdout, steps, report)
            code = process.wait()
        finally:
            _end(process)
    if code:
        raise fault(folder, processes)
    return resumed


def fault(folder: Path, processes: int) -> ZooError:
    """What went wrong, from the notes of those that could write one and the exit codes of those that could not."""
    notes = {rank: note for rank in range(processes) if (note := _note(folder, rank))}
    codes = {int(rank): whole(code) for rank, code in table(read_json(folder / FAILED) or {}).items()}
    for note in notes.values():
        if not note.lost:
            return ZooError(note.what, safe=note.safe or KEPT, remedy=note.remedy, again=AGAIN)
    silent = [rank for rank in range(processes) if rank not in notes]
    # Those that torchrun ended are not among them. A lost connection may raise an exception in a thread of torch, which
    # is a SIGABRT.
    killed = sorted(codes, key=lambda rank: (codes[rank] >= 0, codes[rank] == -signal.SIGABRT))
    late = any(note.late for note in notes.values())
    if not late and killed and (found := endings.fault(_named(killed[0], processes), codes[killed[0]])):
        return found
    if notes and silent:
        reason = next(iter(notes.values())).what
        return ZooError(
            f"{_named(silent[0], processes)} no longer answers the others ({reason})", safe=KEPT, again=AGAIN
        )
    reason = next((note.what for note in notes.values()), "") or _last_line(folder / LOG)
    return ZooError(
        f"The {processes} processes of the training ended: {reason}", safe=KEPT,
        remedy=SEE_LOG.format(folder.name), again=AGAIN,
    )  # fmt: skip


def _named(rank: int, processes: int) -> str:
    return f"Process {rank + 1} of {processes} of the training"


def _note(folder: Path, rank: int) -> Ended | None:
    try:
        return shaped(read_json(folder / ENDED.format(rank)), Ended)
    except WrongShape:
        return None


def _environment(threads: int) -> dict[str, str]:
    """One machine's processes talk through its loopback address. They import what this process would."""
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    return {
        **os.environ, "OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": loopback, "PYTHONSAFEPATH": "1",
    }  # fmt: skip


def _listen(lines: IO[bytes], steps: int, report: Reporter) -> int | None:
    """Show what the first process reports until all have ended."""
    resumed = None
    with report.task("distil", steps, "steps") as advance:
        for line in lines:
            if not line.startswith(MARK.encode()):
                continue
            message = table(jsontext.parse(line.removeprefix(MARK.encode())))
            if "say" in message:
                report.say(str(message["say"]))
            elif "warn" in message:
                report.warn(str(message["warn"]))
            elif "advance" in message:
                advance(whole(message["advance"]))
            elif message.get("resumed") is not None:
                resumed = whole(message["resumed"])
    return resumed


def _end(process: subprocess.Popen[bytes]) -> None:
    """End torchrun and its processes, if they have not ended: the pipe is what the latter wait for."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "without a message")
