"""What a pool asks of whatever runs its tasks: processes of this machine, or a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from zoo.jobs.tasks import Room, Task


@dataclass(frozen=True)
class Ended:
    """How the process of a task ended. code: its exit code, 0 for a finished step. lost: how it ended if not by itself,
    as the end of a sentence ("was killed (SIGKILL)"); "" otherwise.
    """

    code: int
    lost: str = ""


class Attempt(Protocol):
    """A task that was started."""

    def wait(self) -> Ended:
        """How it ended; called after its last line."""

    def stop(self) -> None:
        """Ask it to end."""

    def end(self) -> None:
        """Wait for its end after ``stop``, and enforce it when patience ends."""


Hear = Callable[[str | None], None]
"""Is called, from any thread, with each line that a task's process writes as an event, and with None after the last."""


def event(kind: str, text: str) -> str:
    """A line as a task's process writes it, for what the engine says itself. kind: ``error`` or ``warning``."""
    return json.dumps({"event": kind, "text": text})


class Engine(Protocol):
    """Starts tasks. tries: how often a step is started whose process is lost."""

    @property
    def tries(self) -> int: ...

    @property
    def room(self) -> Room: ...

    def start(self, task: Task, hear: Hear) -> Attempt:
        """Start the process of a task, and return without waiting for it."""


@dataclass(frozen=True)
class Worker:
    """How a task becomes a process. flags: the user's settings. gated: a missed gate ends the recipe."""

    flags: Sequence[str]
    gated: bool

    def words(self, task: Task, share: int) -> list[str]:
        """The words after ``python -P`` and before those for the recipe. share: steps that run on that machine at the
        same time."""
        gates = ["--gated"] if self.gated else []
        step = ["--step", task.step, "--share", str(share), "--log", "json", *gates, *self.flags]
        return ["-m", "zoo", "build", *step]

    def command(self, task: Task, share: int) -> list[str]:
        """For this machine."""
        return [sys.executable, "-P", *self.words(task, share), "--", task.recipe]
