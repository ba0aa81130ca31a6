"""From plans to tasks: every step that is missing, once for all recipes that share it, and which may run next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from catalog.jsonvalues import whole
from zoo.plan.prepare import Planned
from zoo.stages.table import STAGES


@dataclass(frozen=True)
class Task:
    """One step that is to be made. recipe: the word for it on a command line; users: the recipes that need the step.

    needs: keys of the tasks that come first. memory_bytes: an estimate, None if it is not known. gpus: that it uses.
    """

    key: str
    recipe: str
    step: str
    stage: str
    needs: tuple[str, ...]
    memory_bytes: int | None
    gpus: int = 0
    users: tuple[str, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether other work on the machine would falsify what it measures."""
        return STAGES[self.stage].alone

    @property
    def at_home(self) -> bool:
        """Whether the machine of the command makes it, whatever else there is."""
        return STAGES[self.stage].at_home


def union(plans: Mapping[str, Planned]) -> tuple[Task, ...]:
    """The steps that are to run, each once, in an order in which every need comes before its use. plans: by the word
    for the recipe."""
    found: dict[str, Task] = {}
    users: dict[str, list[str]] = {}
    for recipe, planned in plans.items():
        keys = {id_: planned.plan.step(id_).key for id_ in planned.to_run}
        for id_, key in keys.items():
            step = planned.plan.step(id_)
            if recipe not in users.setdefault(key, []):
                users[key].append(recipe)
            needs = tuple(dict.fromkeys(keys[maker] for maker in step.inputs.values() if maker in keys))
            memory = planned.costs.step_memory_bytes.get(id_)
            found.setdefault(key, Task(key, recipe, id_, step.stage, needs, memory, _gpus(step.spec)))
    return tuple(replace(task, users=tuple(users[key])) for key, task in found.items())


def _gpus(spec: Mapping[str, object]) -> int:
    return whole(spec.get("processes", 1)) if str(spec.get("device", "cpu")).startswith("cuda") else 0


@dataclass(frozen=True)
class Room:
    """What there is for tasks: how many may run at the same time, and memory; None if that is not known.

    placed: what runs them keeps memory, GPUs and machines without other work for them, so this leaves it to that.
    """

    jobs: int
    memory_bytes: int | None
    placed: bool = False


@dataclass
class Schedule:
    """Which task starts next. A task that failed takes those with it that need it, and no others."""

    tasks: Iterable[Task]
    room: Room
    waiting: dict[str, Task] = field(init=False)
    running: dict[str, Task] = field(init=False, default_factory=dict)
    failed: dict[str, str] = field(init=False, default_factory=dict)
    """Recipe -> the step without which it cannot be built."""

    def __post_init__(self) -> None:
        self.waiting = {task.key: task for task in self.tasks}

    def start(self) -> Task | None:
        """The next task, which counts as running from now on; None if one that is running must end first."""
        ready = [task for task in self.waiting.values() if not self._before(task)]
        found = next((task for task in ready if (self.room.placed or not task.alone) and self._fits(task)), None)
        if found is None and not self.running:
            # What measures time waits until nothing else can run.
            found = next(iter(ready), None)
        if found:
            self.running[found.key] = self.waiting.pop(found.key)
        return found

    def end(self, task: Task, fault: str = "", *, finished: bool = True) -> None:
        """A task has ended. fault: why its recipe cannot be built. finished: whether the step is there nevertheless."""
        del self.running[task.key]
        if not fault:
            return
        for recipe in (task.recipe,) if finished else task.users:
            self.failed.setdefault(recipe, task.step)
        # A step stays if a recipe that has not failed needs it, and is then made for that one.
        self.waiting = {
            key: replace(other, recipe=left[0], users=left)
            for key, other in self.waiting.items()
            if (left := tuple(user for user in other.users if user not in self.failed))
        }

    def again(self, task: Task) -> None:
        """A task that is running starts once more, before the others."""
        del self.running[task.key]
        self.waiting = {task.key: task, **self.waiting}

    def _before(self, task: Task) -> bool:
        return any(key in self.waiting or key in self.running for key in task.needs)

    def _fits(self, task: Task) -> bool:
        running = self.running.values()
        if not running:
            return True
        if len(running) >= self.room.jobs:
            return False
        if self.room.placed:
            return True
        if any(one.alone or (one.gpus and task.gpus) for one in running):
            return False
        wanted = (task.memory_bytes or 0) + sum(one.memory_bytes or 0 for one in running)
        return self.room.memory_bytes is None or wanted <= self.room.memory_bytes
