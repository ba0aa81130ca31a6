"""Tasks as arrays: all of one stage that may run at the same time, with what they need and what comes first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zoo.jobs.tasks import Task

MOST_TASKS = 1000
"""In one array: Slurm allows 1,001 unless its administrator chose another limit."""


@dataclass(frozen=True)
class Array:
    """Tasks that need the same. commands: a line of a shell for each; needs: names of the arrays that end first.

    level: 1 for arrays that need no other. memory_bytes: of the task that needs most, None if that is not known.
    """

    name: str
    commands: tuple[str, ...]
    needs: tuple[str, ...]
    level: int
    memory_bytes: int | None
    gpus: int
    alone: bool


def arrays(tasks: Sequence[Task], line: Callable[[Task], str]) -> tuple[Array, ...]:
    """The tasks in an order in which every need comes before its use. line: the command of a task."""
    levels: dict[str, int] = {}
    groups: dict[tuple[int, str, int], list[Task]] = {}
    for task in tasks:
        levels[task.key] = 1 + max((levels[key] for key in task.needs), default=0)
        groups.setdefault((levels[task.key], task.stage, task.gpus), []).append(task)
    made: list[Array] = []
    where: dict[str, str] = {}
    for (level, stage, gpus), group in sorted(groups.items()):
        for at in range(0, len(group), MOST_TASKS):
            part = group[at : at + MOST_TASKS]
            name = f"{len(made) + 1:02}-{stage}"
            needs = sorted({where[key] for task in part for key in task.needs})
            known = [task.memory_bytes for task in part if task.memory_bytes is not None]
            memory = max(known) if len(known) == len(part) else None
            made.append(Array(name, tuple(map(line, part)), tuple(needs), level, memory, gpus, part[0].alone))
            where |= dict.fromkeys((task.key for task in part), name)
    return tuple(made)
