"""Makes the tasks of several recipes at the same time. A process that is lost loses only its step, which runs again."""

from __future__ import annotations

import functools
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from catalog.words import counted
from zoo.errors import GateRefused, ZooError
from zoo.jobs import flags, raycluster
from zoo.jobs.engine import Attempt, Engine, Worker
from zoo.jobs.processes import Processes
from zoo.jobs.tasks import Room, Schedule, Task, union
from zoo.machine import resources
from zoo.plan.prepare import Planned
from zoo.plan.store import Workspace
from zoo.progress import Reporter
from zoo.settings import Settings


@dataclass(frozen=True)
class Spread:
    """Where steps are made. jobs: at most so many at the same time, None for the engine's own number, which is one on
    this machine. on: the address of a cluster, "" for this machine. gated: a missed gate ends the recipe.
    """

    jobs: int | None
    on: str
    gated: bool

    @property
    def is_one_by_one(self) -> bool:
        """Whether this process makes all steps itself."""
        return not self.on and (self.jobs or 1) == 1


@dataclass
class _Running:
    """A task that was started, and what its process said last as an error."""

    task: Task
    attempt: Attempt | None = None
    error: str = ""


class _Pool:
    def __init__(self, schedule: Schedule, engine: Engine, settings: Settings, report: Reporter) -> None:
        self.schedule, self.engine, self.settings, self.report = schedule, engine, settings, report
        self.heard: queue.SimpleQueue[tuple[_Running, str | None]] = queue.SimpleQueue()
        self.running: list[_Running] = []
        self.tries: dict[str, int] = {}
        self.faults: dict[str, ZooError] = {}

    def run(self) -> dict[str, ZooError]:
        try:
            while self._start_all() or self.running:
                one, line = self.heard.get()
                if line is None:
                    self._ended(one)
                else:
                    self._said(one, line)
        finally:
            self._stop()
        return self.faults

    def _start_all(self) -> bool:
        started = False
        while task := self.schedule.start():
            self.tries[task.key] = self.tries.get(task.key, 0) + 1
            one = _Running(task)
            one.attempt = self.engine.start(task, functools.partial(self._hear, one))
            self.running.append(one)
            started = True
        return started

    def _hear(self, one: _Running, line: str | None) -> None:
        self.heard.put((one, line))

    def _said(self, one: _Running, line: str) -> None:
        try:
            event = jsontext.parse(line)
        except ValueError:
            return  # of a library, not of the program
        kind, text = (event.get("event"), event.get("text")) if isinstance(event, dict) else (None, None)
        if not isinstance(text, str):
            return
        who = f"{one.task.recipe} {one.task.step}"
        if kind == "error":
            one.error = text.removeprefix("zoo: ")
        elif kind == "warning":
            self.report.warn(f"{who}: {text}")
        elif kind == "say" and not text.startswith(" "):  # not that it is still working
            self.report.say(f"{one.task.recipe} {text}" if text.startswith("[") else f"{who}: {text}")

    def _ended(self, one: _Running) -> None:
        assert one.attempt
        end = one.attempt.wait()
        self.running.remove(one)
        task = one.task
        there = Workspace(self.settings.work).finished(task.key) is not None
        if end.lost and not there and self.tries[task.key] < self.engine.tries:
            self.report.warn(f"the process of {task.recipe} {task.step} {end.lost}. It starts again")
            self.schedule.again(task)
            return
        if end.code == 0 or (end.lost and there):
            self.schedule.end(task)
            return
        fault = one.error or f"the process of step {task.step} {end.lost or f'ended with exit code {end.code}'}"
        self.schedule.end(task, fault, finished=there)
        kind = GateRefused if end.code == GateRefused.exit_code else ZooError
        for recipe in self.schedule.failed:
            self.faults.setdefault(recipe, kind(fault))

    def _stop(self) -> None:
        attempts = [one.attempt for one in self.running if one.attempt]
        for attempt in attempts:
            attempt.stop()
        for attempt in attempts:
            attempt.end()


Able = Callable[[Planned, Settings, Reporter], None]
"""Raises ZooError for what would stop a recipe on this machine."""


def together(
    plans: Mapping[str, Planned], spread: Spread, settings: Settings, report: Reporter, able: Able
) -> dict[str, ZooError]:
    """Make the missing steps of all plans, each once. plans: by the word for the recipe, as typed in this folder.

    Returns, by recipe, why one cannot be built; what the others share with it is made. If this process ends, those of
    the steps end with it.
    """
    flags.refuse_machines(settings)
    faults: dict[str, ZooError] = {}
    # The processes of a cluster look at their own machines.
    for recipe, planned in () if spread.on else plans.items():
        try:
            able(planned, settings, report)
        except ZooError as fault:
            faults[recipe] = fault
    left = {name: one for name, one in plans.items() if name not in faults}
    return faults | (_together(left, spread, settings, report) if left else {})


def _together(
    plans: Mapping[str, Planned], spread: Spread, settings: Settings, report: Reporter
) -> dict[str, ZooError]:
    placed = {flags.word(name, Path.cwd(), settings.root): name for name in plans} if spread.on else {}
    named = {word: plans[name] for word, name in placed.items()} if spread.on else plans
    tasks = union(named)
    with _engine(tasks, named, spread, settings, report) as engine:
        how = f"{engine.room.jobs} at the same time" + (f" on {spread.on}" if spread.on else "")
        report.say(f"{counted(len(tasks), 'step')} of {counted(len(plans), 'recipe')} to make, {how}")
        faults = _Pool(Schedule(tasks, engine.room), engine, settings, report).run()
    return {placed.get(recipe, recipe): fault for recipe, fault in faults.items()}


@contextmanager
def _engine(
    tasks: tuple[Task, ...], plans: Mapping[str, Planned], spread: Spread, settings: Settings, report: Reporter
) -> Iterator[Engine]:
    if spread.on and tasks:
        worker = Worker(list(flags.elsewhere(settings)), spread.gated)
        work = raycluster.Work(tasks, plans, worker, spread.jobs)
        with raycluster.connected(work, spread.on, settings, report) as cluster:
            yield cluster
        return
    memory, _ = resources.memory_bytes()
    yield Processes(Worker(flags.here(settings), spread.gated), Room(spread.jobs or 1, memory or None))


def refuse(faults: Mapping[str, ZooError]) -> None:
    """Raises ZooError with every recipe that cannot be built, GateRefused if gates are all that is missed; does nothing
    without one."""
    if faults:
        # A fault of several lines, such as all that a machine lacks, keeps them.
        lines = [f"  {recipe}: {fault}".replace("\n", "\n    ") for recipe, fault in faults.items()]
        only_gates = all(isinstance(fault, GateRefused) for fault in faults.values())
        raise (GateRefused if only_gates else ZooError)(
            "\n".join(["not every recipe could be built", *lines]),
            safe="Finished steps are kept.",
            remedy="Fix the cause, then run the same command again",
        )
