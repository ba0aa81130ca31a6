"""One try to make a task on a Ray cluster: a place on a node, the step there, and what comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol, cast

from catalog import jsontext
from zoo.errors import AGAIN, ZooError, remedy_for
from zoo.jobs import fetched, nodes
from zoo.jobs.engine import Attempt, Ended, Hear, event
from zoo.jobs.fetched import Home, There
from zoo.jobs.processes import PATIENCE_SECONDS, Processes, ended
from zoo.jobs.tasks import Task
from zoo.machine import processor


class Seat(There, Protocol):
    """``zoo.jobs.raytask.Seat`` from here."""

    def look(self, marker: str) -> Mapping[str, str]: ...


class Stopped(Exception):
    """The command was stopped, so nothing more is asked of the node."""


@dataclass
class Try:
    """home: this machine. mine: what ``raytask.look`` says here. local: makes steps on this machine. place: asks Ray
    for a place on a node."""

    ray: ModuleType
    home: Home
    mine: Mapping[str, str]
    local: Processes
    place: Callable[[], object]
    task: Task
    found: Ended = field(default=Ended(1, "was lost"))
    is_over: threading.Event = field(default_factory=threading.Event)
    _actor: object = None
    _is_placed: bool = False
    _is_stopped: bool = False
    _is_making: bool = False
    _judging: Attempt | None = None

    def listen(self, hear: Hear) -> None:
        """Make the task and pass on what its process writes. Called in a thread of its own."""
        try:
            self.found = self._made(hear)
        except self.ray.exceptions.RayTaskError as error:
            # Raised by our own code there: a second time would be the same. Ray makes it an error of our kind too.
            hear(event("error", str(error.cause) if isinstance(error.cause, ZooError) else repr(error.cause)))
            self.found = Ended(1)
        except ZooError as error:
            hear(event("error", str(error)))
            self.found = Ended(1)
        except Exception as error:  # noqa: BLE001 - this thread must not end without a word
            self.found = self._lost_or_failed(error, hear)
        finally:
            self._free()
            self.is_over.set()
            hear(None)

    def wait(self) -> Ended:
        self.is_over.wait()
        return self.found

    def stop(self) -> None:
        self._is_stopped = True
        if self._judging:
            self._judging.stop()
        if self._is_placed:
            with suppress(Exception):
                self._actor.stop.remote()  # type: ignore[attr-defined]  # Ray makes the methods of an actor
        else:
            self._free()

    def end(self) -> None:
        if self._judging:
            self._judging.end()
        # Nothing else needs time for its end: not a file that is being sent, and not a wait for another command.
        if not self._is_making or not self.is_over.wait(2 * PATIENCE_SECONDS):
            self._free()

    def _lost_or_failed(self, error: Exception, hear: Hear) -> Ended:
        """An error of a disk of this machine is none of the node: elsewhere it would be the same."""
        if not isinstance(error, OSError) or isinstance(error, ConnectionError | TimeoutError):
            return Ended(1, f"was lost ({first_line(error)})")
        said = ZooError(
            f"{error.strerror or error} on this machine", where=str(error.filename or self.home.settings.work),
            safe="Finished steps are kept.", remedy=remedy_for(error), again=AGAIN,
        )  # fmt: skip
        hear(event("error", str(said)))
        return Ended(1)

    def _made(self, hear: Hear) -> Ended:
        self._actor = self.place()
        seat = cast(Seat, _Far(self))
        with nodes.marked(self.home.settings.work) as (marker, said):
            found = seat.look(marker)
        self._is_placed = True
        if faults := list(nodes.unlike(self.mine, found, found["host"])):
            raise ZooError("; ".join(faults), remedy="Make all nodes alike")
        if found["seen"] == said:
            words = [*self.home.words(self.task), "--", self.task.recipe]
            code, lines = seat.make(words, str(self.home.settings.root.resolve()), self.home.variables)
            for line in lines:
                hear(line)
            return ended(code)
        there = processor.from_record(jsontext.parse(found["processor"]))
        assert there, "a node of the same version says what its processor is"
        code = fetched.make(self.task, seat, there, self.home, lambda line: hear(placed(line, found["host"])))
        self._free()
        return ended(code) if code else self._judged(hear)

    def _judged(self, hear: Hear) -> Ended:
        """Where the recipe is, the same command judges the finished step."""
        is_said = threading.Event()
        self._judging = self.local.start(self.task, lambda line: is_said.set() if line is None else hear(line))
        is_said.wait()
        return self._judging.wait()

    def _free(self) -> None:
        """Give the place on the node back. What runs there ends."""
        if self._actor is not None:
            with suppress(Exception):
                self.ray.kill(self._actor)

    def ask(self, method: str, *given: object) -> object:
        """Call a method of the place on the node, and wait for what it returns."""
        if self._is_stopped:
            raise Stopped
        self._is_making = method == "make"
        return self.ray.get(getattr(self._actor, method).remote(*given))


class _Far:
    """Every method of the place on the node."""

    def __init__(self, one: Try) -> None:
        self._one = one

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *given: self._one.ask(name, *given)


def placed(line: str | None, host: str) -> str | None:
    """A line of the process of a step; an error in it says on which machine."""
    with suppress(ValueError):
        told = jsontext.parse(line or "")
        if isinstance(told, dict) and told.get("event") == "error":
            return event("error", f"{host}: {str(told.get('text')).removeprefix('zoo: ')}")
    return line


def first_line(error: Exception) -> str:
    """The last line of an error of the other side, which is the sentence; else the first of Ray's own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return (lines[-1] if "Traceback" in str(error) else lines[0])[:300].rstrip(".")
