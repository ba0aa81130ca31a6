"""Runs tasks with several processes on this machine. A process that is killed loses only its step, which runs again."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog import jsontext
from catalog.words import counted
from zoo import commandline, stopping
from zoo.errors import GateRefused, ZooError
from zoo.jobs.tasks import Room, Schedule, Task, union
from zoo.machine import endings, resources
from zoo.plan.prepare import Planned
from zoo.plan.store import Workspace
from zoo.progress import Reporter
from zoo.settings import Settings

TRIES = 2
"""How often a step is started whose process a signal ends."""
PATIENCE_SECONDS = 10.0
"""How long a process has for its own end before it is killed."""


@dataclass(frozen=True)
class Worker:
    """How a task becomes a process. flags: the user's settings. gated: a missed gate ends the recipe."""

    flags: Sequence[str]
    gated: bool

    def command(self, task: Task, share: int) -> list[str]:
        gates = ["--gated"] if self.gated else []
        step = ["--step", task.step, "--share", str(share), "--log", "json", *gates, *self.flags]
        return [sys.executable, "-P", "-m", "zoo", "build", *step, "--", task.recipe]


@dataclass
class _Running:
    """A process, the thread that reads what it writes, and what it said last as an error."""

    task: Task
    process: subprocess.Popen[str]
    reader: threading.Thread
    error: str = ""


def run(tasks: Iterable[Task], room: Room, worker: Worker, settings: Settings, report: Reporter) -> dict[str, ZooError]:
    """Make the steps. Returns, by recipe, why one cannot be built; what the others share with it is made.

    If this process ends, those of the steps end with it.
    """
    return _Pool(Schedule(tuple(tasks), room), worker, settings, report).run()


class _Pool:
    def __init__(self, schedule: Schedule, worker: Worker, settings: Settings, report: Reporter) -> None:
        self.schedule, self.worker, self.settings, self.report = schedule, worker, settings, report
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
            self._start(task)
            started = True
        return started

    def _start(self, task: Task) -> None:
        self.tries[task.key] = self.tries.get(task.key, 0) + 1
        share = 1 if task.alone else self.schedule.room.jobs
        process = stopping.start(
            self.worker.command(task, share), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        reader = threading.Thread(target=lambda: self._read(one), daemon=True)
        one = _Running(task, process, reader)
        self.running.append(one)
        reader.start()

    def _read(self, one: _Running) -> None:
        assert one.process.stderr
        for line in one.process.stderr:
            self.heard.put((one, line))
        self.heard.put((one, None))

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
        elif kind == "say" and text.startswith("["):
            self.report.say(f"{one.task.recipe} {text}")

    def _ended(self, one: _Running) -> None:
        code = one.process.wait()
        self.running.remove(one)
        task = one.task
        there = Workspace(self.settings.work).finished(task.key) is not None
        # zoo itself ends with 128 and the number of a signal that it heard.
        signalled = code if code < 0 else 128 - code if code > 128 else 0
        if signalled and not there and self.tries[task.key] < TRIES:
            self.report.warn(f"the process of {task.recipe} {task.step} {endings.words(signalled)}. It starts again")
            self.schedule.again(task)
            return
        if code == 0:
            self.schedule.end(task)
            return
        fault = one.error or f"the process of step {task.step} {endings.words(code)}"
        self.schedule.end(task, fault, finished=there)
        kind = GateRefused if code == GateRefused.exit_code else ZooError
        for recipe in self.schedule.failed:
            self.faults.setdefault(recipe, kind(fault))

    def _stop(self) -> None:
        for one in self.running:
            one.process.terminate()
        for one in self.running:
            try:
                one.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()


def together(
    plans: Mapping[str, Planned], jobs: int, settings: Settings, report: Reporter, *, gated: bool
) -> dict[str, ZooError]:
    """The missing steps of all plans, at most ``jobs`` at the same time, within the memory of this machine.

    plans: by the word for the recipe. Returns what ``run`` returns.
    """
    memory, _ = resources.memory_bytes()
    tasks = union(plans)
    report.say(f"{counted(len(tasks), 'step')} of {counted(len(plans), 'recipe')} to make, {jobs} at the same time")
    worker = Worker(flags_of(settings), gated)
    return run(tasks, Room(jobs, memory or None), worker, settings, report)


def flags_of(settings: Settings) -> list[str]:
    """The user's flags that ``zoo build`` takes."""
    given = commandline.given(settings)
    return [word for name in commandline.TAKES["build"] if given.get(name) for word in (f"--{name}", given[name] or "")]


def refuse(faults: Mapping[str, ZooError]) -> None:
    """Raises ZooError with every recipe that cannot be built, GateRefused if gates are all that is missed; does nothing
    without one."""
    if faults:
        lines = [f"  {recipe}: {fault.what.partition(chr(10))[0]}" for recipe, fault in faults.items()]
        only_gates = all(isinstance(fault, GateRefused) for fault in faults.values())
        raise (GateRefused if only_gates else ZooError)(
            "\n".join(["not every recipe could be built", *lines]),
            safe="Finished steps are kept.",
            remedy="Fix the cause, then run the same command again",
        )
