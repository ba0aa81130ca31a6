"""What every cluster's files share: the order, the command of a task, and where they are. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.sharding import NONE
from zoo.jobs.tasks import Task

MEGABYTE = 1 << 20
SUBMIT = "submit.sh"
"""The script that hands everything to the cluster."""


@dataclass(frozen=True)
class Order:
    """How the tasks are to run. root: the zoo's folder on the machines. flags: the user's settings for ``zoo build``.

    processes: that train together; sharding: what each of them keeps. threads: of each task. at_most: tasks of an array
    at the same time, None for all.
    written_by: the command that made the files; release: the one that ends the work. image and claim: of
    Kubernetes, the container image and the volume.
    """

    root: str
    flags: Sequence[str]
    threads: int
    processes: int
    sharding: str
    at_most: int | None
    written_by: str
    release: str
    image: str = ""
    claim: str = ""

    def line(self, task: Task) -> str:
        """The command of a task, for a shell in the zoo's folder."""
        words = ["zoo", "build", "--step", task.step, *self.flags, "--", task.recipe]
        before = f"ZOO_PROCESSES={self.processes} " if self.processes > 1 else ""
        before += f"ZOO_SHARDING={self.sharding} " if self.sharding != NONE else ""
        return before + shlex.join(words)


def megabytes(memory_bytes: int) -> int:
    """Memory in units of 2^20 bytes, rounded up."""
    return -(-memory_bytes // MEGABYTE)
