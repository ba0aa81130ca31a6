"""Runs tasks as processes of this machine. If this process ends, they end with it."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from zoo import stopping
from zoo.jobs.engine import Ended, Hear, Worker
from zoo.jobs.tasks import Room, Task
from zoo.machine import endings

PATIENCE_SECONDS = 10.0
"""How long a process has for its own end before it is killed."""


@dataclass(frozen=True)
class Processes:
    """The engine of this machine. folder: in which its processes run, None for that of this one."""

    worker: Worker
    room: Room
    tries: int = 2
    folder: Path | None = None

    def start(self, task: Task, hear: Hear) -> _Process:
        """Start the process of a task, and a thread that reads what it writes."""
        command = self.worker.command(task, 1 if task.alone else self.room.jobs)
        process = stopping.start(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="replace",
        )  # fmt: skip
        threading.Thread(target=_read, args=(process, hear), daemon=True).start()
        return _Process(process)


def _read(process: subprocess.Popen[str], hear: Hear) -> None:
    assert process.stderr
    for line in process.stderr:
        hear(line)
    hear(None)


@dataclass(frozen=True)
class _Process:
    process: subprocess.Popen[str]

    def wait(self) -> Ended:
        return ended(self.process.wait())

    def stop(self) -> None:
        self.process.terminate()

    def end(self) -> None:
        finish(self.process)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a process that was asked to end, and kill it when patience ends."""
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ended(code: int) -> Ended:
    """Of a process of zoo, which ends with 128 and the number of a signal that it heard."""
    signalled = code if code < 0 else 128 - code if code > 128 else 0
    return Ended(code, endings.words(signalled) if signalled else "")
