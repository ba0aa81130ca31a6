"""Train in several processes, from the program's side: start this machine's, show what they report, and name who
failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TypeVar

from catalog import jsontext
from catalog.jsonvalues import table, whole
from catalog.shapes import WrongShape, shaped
from zoo import stopping
from zoo.errors import AGAIN, ZooError
from zoo.machine import endings, network
from zoo.progress import Reporter
from zoo.training.files import read_json
from zoo.training.handover import ENDED, FAILED, LOG, MARK, SEE_LOG, Ended
from zoo.training.meeting import Place

STOPPED_WITHIN_SECONDS = 40
"""torchrun gives its processes 30 s before it kills them."""
NOTICED_SECONDS, LEFT_SECONDS = 2.0, 30.0
"""Between two looks whether the processes of another machine have failed, and then left to those of this one, which
usually notice it themselves."""
KEPT = "The checkpoints are kept."
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
"""Environment variables that name the network interface, for torch's two ways to talk."""
_Heard = TypeVar("_Heard")


def train_together(folder: Path, place: Place, steps: int, threads: int, report: Reporter) -> int | None:
    """Train as the ``handover`` in ``folder`` says; the step of the checkpoint that was continued from, or None.

    Raises ZooError if a process fails: then all have ended. They end, too, if this process does, for any reason.
    """
    return _run(folder, place, threads, lambda lines: _listen(lines, steps, report))


def take_part(folder: Path, place: Place, threads: int) -> None:
    """Train as another machine's ``handover`` says, which shows what is reported. Raises ZooError like
    ``train_together``."""
    _run(folder, place, threads, _unheard)


def _run(folder: Path, place: Place, threads: int, listen: Callable[[IO[bytes]], _Heard]) -> _Heard:
    command = [sys.executable, "-P", "-m", "zoo.training.launch", str(folder), json.dumps(asdict(place))]
    with (folder / LOG.format(place.number)).open("wb") as log:
        process = stopping.start(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_environment(place, threads)
        )
        threading.Thread(target=_end_the_rest, args=(process,), daemon=True).start()
        try:
            assert process.stdout
            with _ending_with_others(folder, place, process):
                heard = listen(process.stdout)
                code = process.wait()
        finally:
            _end(process)
    if code:
        raise fault(folder, place, code)
    return heard


def _end_the_rest(process: subprocess.Popen[bytes]) -> None:
    """When torchrun has ended, the processes that it left behind, if something killed it."""
    process.wait()
    assert process.stdin
    process.stdin.close()


@contextmanager
def _ending_with_others(folder: Path, place: Place, process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End this machine's torchrun some time after that of another one failed. It only waits for its own processes, and
    one that hangs never ends by itself."""
    others = [folder / FAILED.format(number) for number in range(place.machines) if number != place.number]
    # A shared folder may still show the note of an earlier start, which is deleted.
    before = {note: _version(note) for note in others}
    over = threading.Event()

    def is_new(note: Path) -> bool:
        return _version(note) not in (None, before[note])

    def watch() -> None:
        while not over.wait(NOTICED_SECONDS):
            if any(map(is_new, others)):
                if not over.wait(LEFT_SECONDS):
                    process.terminate()
                return

    if others:
        threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _version(note: Path) -> tuple[int, int] | None:
    """Tells a file from an earlier one of its name; None if there is none."""
    try:
        found = note.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def fault(folder: Path, place: Place, code: int = 1) -> ZooError:
    """What went wrong, from the notes of those that could write one and the exit codes of those that could not. Of
    other machines, a note may come later than this. code: torchrun's own, negative for a signal."""
    processes = place.world
    notes = {rank: note for rank in range(processes) if (note := _note(folder, rank))}
    codes = {
        int(rank): whole(code)
        for machine in range(place.machines)
        for rank, code in table(read_json(folder / FAILED.format(machine)) or {}).items()
    }
    for note in notes.values():
        if not note.lost:
            return ZooError(note.what, safe=note.safe or KEPT, remedy=note.remedy, again=AGAIN)
    silent = [rank for rank in range(processes) if rank not in notes]
    # Those that torchrun ended are not among them. A lost connection may raise an exception in a thread of torch, which
    # is a SIGABRT.
    killed = sorted(codes, key=lambda rank: (codes[rank] >= 0, codes[rank] == -signal.SIGABRT))
    late = any(note.late for note in notes.values())
    if not late and killed and (found := endings.fault(_named(killed[0], place), codes[killed[0]])):
        return found
    starter = f"What starts the processes of the training{_on(place.number, place)}"
    if not late and (found := endings.fault(starter, code)):
        return found
    if notes and silent:
        reason = next(iter(notes.values())).what
        return ZooError(
            f"{_named(silent[0], place)} no longer answers the others ({reason})", safe=KEPT, again=AGAIN
        )
    if notes and all(note.late for note in notes.values()):
        reason = next(iter(notes.values())).what
        return ZooError(
            f"The processes of the training no longer reach each other: each {reason}", safe=KEPT,
            remedy="Check the network between the machines" if place.machines > 1 else SEE_LOG.format(folder.name),
            again=AGAIN,
        )  # fmt: skip
    reason = next((note.what for note in notes.values()), "") or _last_line(folder / LOG.format(place.number))
    return ZooError(
        f"The {processes} processes of the training ended: {reason}", safe=KEPT,
        remedy=SEE_LOG.format(folder.name), again=AGAIN,
    )  # fmt: skip


def _named(rank: int, place: Place) -> str:
    return f"Process {rank + 1} of {place.world} of the training{_on(rank // place.processes, place)}"


def _on(number: int, place: Place) -> str:
    return f", on machine {number + 1} of {place.machines}," if place.machines > 1 else ""


def _note(folder: Path, rank: int) -> Ended | None:
    try:
        return shaped(read_json(folder / ENDED.format(rank)), Ended)
    except WrongShape:
        return None


def _environment(place: Place, threads: int) -> dict[str, str]:
    """One machine's processes talk through its loopback address, those of several through the network on which the
    machines have met, unless the user names another. They import what this process would."""
    own = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONSAFEPATH": "1"}
    if place.machines == 1:
        return {**own, "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}
    named = network.interface(place.own)
    return {**(dict.fromkeys(_INTERFACES, named) if named else {}), **own}


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


def _unheard(lines: IO[bytes]) -> None:
    """Until all have ended; the machine that leads shows what they say."""
    for _ in lines:
        pass


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
