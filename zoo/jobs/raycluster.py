"""Runs tasks on a Ray cluster. Its nodes share the zoo's folder and have zoo installed; Ray places each task.

A task is one ``zoo build --step`` in a process of its own. Ray repeats nothing by itself: a task whose worker or node
is lost is started again here, so that no step is made twice. Source of the behaviour: docs.ray.io, "Ray Client" and
"Task Fault Tolerance" (Ray 2.60).
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Protocol

from catalog.words import counted, data_size
from zoo import extras
from zoo.errors import AGAIN, InputError, ZooError
from zoo.files.whole import write_atomic
from zoo.jobs import flags, raytask
from zoo.jobs.engine import Ended, Hear, Worker
from zoo.jobs.processes import PATIENCE_SECONDS, ended
from zoo.jobs.tasks import Room, Task
from zoo.settings import Settings

SCHEME = "ray://"
HERE = "auto"
"""What Ray calls the cluster that runs on this machine."""
AUTH_MODE = "RAY_AUTH_MODE"
TRIES = 4
"""How often a step is started: a step is not to blame for a lost node, and rented machines are taken back."""
LOOK_SECONDS = 60.0
"""How long a node has to say what it is. A worker of Ray starts in a few seconds."""


@dataclass(frozen=True)
class Node:
    """One machine of the cluster, with what Ray counts of it."""

    id: str
    address: str
    cpus: float
    gpus: float
    memory_bytes: float


def refuse_address(address: str) -> None:
    """Raises InputError for anything but ``ray://HOST:PORT``, and ``ray://`` for the cluster of this machine."""
    rest = address.removeprefix(SCHEME)
    host, colon, port = rest.rpartition(":")
    if address.startswith(SCHEME) and (not rest or (host and colon and port.isdigit() and 0 < int(port) < 1 << 16)):
        return
    raise InputError(
        f"--on {address!r} is not the address of a Ray cluster",
        remedy="Write ray://HOST:PORT (Ray's client server has port 10001), or ray:// for the one on this machine",
    )


@contextmanager
def connected(
    tasks: Sequence[Task], worker: Worker, jobs: int | None, address: str, settings: Settings
) -> Iterator[Cluster]:
    """The cluster at ``address`` as an engine for these tasks. jobs: at most so many at the same time, None for as many
    as it has processors for.

    Raises InputError for what is not an address, MissingExtra without Ray, and ZooError if the cluster does not answer
    or its nodes cannot make the tasks.
    """
    refuse_address(address)
    # Ray would report how it is used to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = extras.load("ray")
    _connect(ray, address)
    try:
        nodes = _nodes(ray)
        _refuse_nodes(ray, nodes, address, settings)
        if faults := list(unplaceable(tasks, nodes, settings.threads)):
            raise ZooError(
                "\n".join([f"{address} has no machine for these steps", *(f"  {fault}" for fault in faults)]),
                safe="Nothing was started.", remedy="Add a larger machine, or lower --threads",
            )  # fmt: skip
        slots = int(sum(node.cpus for node in nodes) // settings.threads)
        room = Room(min(jobs or slots, slots), None, placed=True)
        yield Cluster(
            ray, worker, room, str(settings.root.resolve()), flags.environment(settings), settings.threads,
            max(node.cpus for node in nodes),
        )  # fmt: skip
    finally:
        ray.shutdown()


def unplaceable(tasks: Sequence[Task], nodes: Sequence[Node], threads: int) -> Iterator[str]:
    """Tasks that no node has room for, in words: Ray would wait for a larger one for ever."""
    if not nodes:
        yield "no node is alive"
    elif threads > (most := max(node.cpus for node in nodes)):
        yield f"every step uses {counted(threads, 'thread')}, and the largest machine has {most:g} processors"
    for task in tasks if nodes else ():
        fits = [node for node in nodes if node.gpus >= task.gpus and node.memory_bytes >= (task.memory_bytes or 0)]
        if not fits:
            needs = [counted(task.gpus, "GPU")] if task.gpus else []
            needs += [f"{data_size(task.memory_bytes)} of memory"] if task.memory_bytes else []
            yield f"{task.recipe} {task.step} needs {' and '.join(needs)}"


def unlike(mine: Mapping[str, str], found: Mapping[str, str], where: str, work: Path) -> Iterator[str]:
    """Why a node cannot make the steps, in words. mine, found: what ``raytask.look`` says here and there."""
    if found["seen"] != mine["seen"]:
        yield f"{where} does not see {work}: share this folder, for example over NFS"
    for name, version in mine.items():
        if name not in ("host", "seen") and found.get(name) != version:
            yield f"{where} has {name} {found.get(name, extras.ABSENT)}, this machine {version}"


def _connect(ray: ModuleType, address: str) -> None:
    target = HERE if address == SCHEME else address
    try:
        with warnings.catch_warnings():
            # The error says the same.
            warnings.simplefilter("ignore")
            ray.init(target, logging_level="ERROR", log_to_driver=False)
    except ImportError as error:
        raise extras.explain(error) or error from None
    except Exception as error:  # Ray reports with a dozen kinds, down to those of gRPC
        said = " ".join(str(error).split())[:300]
        raise ZooError(
            f"the Ray cluster {address} cannot be used: {said or type(error).__name__}", safe="Nothing was started.",
            remedy=_remedy(os.environ.get(AUTH_MODE, "")), again=AGAIN,
        ) from error  # fmt: skip


def _remedy(mode: str) -> str:
    """What to look at. mode: of authentication, here. Without it Ray sends no token to an address, and the head of a
    cluster with a token is then silent. Zoo leaves it so: whom a token is sent to is for its owner to say.
    """
    if mode.lower() == "token":
        return "Give this machine the cluster's token, in ~/.ray/auth_token. On the head node: ray get-auth-token"
    return (
        "See whether it runs, on its head node: ray status. Start one with: ray start --head. "
        f"If it asks for a token: export {AUTH_MODE}=token"
    )


def _nodes(ray: ModuleType) -> list[Node]:
    alive = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0)]
    counts = ("CPU", "GPU", "memory")
    return [
        Node(one["NodeID"], one["NodeManagerAddress"], *(one["Resources"].get(name, 0) for name in counts))
        for one in alive
    ]


def _refuse_nodes(ray: ModuleType, nodes: Sequence[Node], address: str, settings: Settings) -> None:
    """Raises ZooError with every node that does not see the work folder, or has other packages than this machine."""
    marker = settings.work / f"cluster-{secrets.token_hex(8)}"
    write_atomic(marker, secrets.token_hex(16))
    try:
        asked = [_on(ray, node).remote(str(marker.resolve())) for node in nodes]
        mine, faults = raytask.look(str(marker)), list[str]()
        for node, question in zip(nodes, asked, strict=True):
            try:
                found = ray.get(question, timeout=LOOK_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, that node is of no use
                faults.append(f"{node.address}: {_first_line(error)}")
            else:
                faults += unlike(mine, found, f"{node.address} ({found['host']})", settings.work.resolve())
    finally:
        marker.unlink(missing_ok=True)
    if faults:
        raise ZooError(
            "\n".join([f"{address} cannot make these steps", *(f"  {fault}" for fault in faults)]),
            safe="Nothing was started.",
            remedy="Make all nodes alike, with the same versions and the zoo's folder at the same path", again=AGAIN,
        )  # fmt: skip


def _on(ray: ModuleType, node: Node) -> _Remote:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node.id, soft=False)
    look: _Remote = ray.remote(raytask.look)
    return look.options(num_cpus=0, max_retries=0, scheduling_strategy=there)


class _Remote(Protocol):
    """A function that Ray runs on a node; ``remote`` returns a reference to what it will return."""

    def options(self, **options: object) -> _Remote: ...

    def remote(self, *arguments: object) -> object: ...


@dataclass
class Cluster:
    """The engine. root: the zoo's folder on all nodes; variables: of the steps' environment. most_cpus: of its largest
    node.
    """

    ray: ModuleType
    worker: Worker
    room: Room
    root: str
    variables: Mapping[str, str]
    threads: int
    most_cpus: float
    tries: int = TRIES
    _remote: _Remote = field(init=False)

    def __post_init__(self) -> None:
        self._remote = self.ray.remote(raytask.make)

    def start(self, task: Task, hear: Hear) -> _Asked:
        """Hand a task to Ray, and wait for it in a thread. What measures time gets a machine for itself."""
        placed = self._remote.options(
            num_cpus=self.most_cpus if task.alone else self.threads, num_gpus=task.gpus,
            memory=task.memory_bytes or None, max_retries=0, name=f"{task.recipe} {task.step}",
        )  # fmt: skip
        reference = placed.remote(self.worker.words(task, 1), self.root, self.variables)
        asked = _Asked(self.ray, reference)
        threading.Thread(target=asked.listen, args=(hear,), daemon=True).start()
        return asked


@dataclass
class _Asked:
    """A task that Ray has. Ray forgets the result when nothing refers to it."""

    ray: ModuleType
    reference: object
    found: Ended = field(default=Ended(1, "was lost"))
    is_over: threading.Event = field(default_factory=threading.Event)

    def listen(self, hear: Hear) -> None:
        """Wait for the end and pass on what the process wrote."""
        try:
            code, lines = self.ray.get(self.reference)
            self.found = ended(code)
            for line in lines:
                hear(line)
        except self.ray.exceptions.RayTaskError as error:
            # Raised by our own function there: a second time would be the same.
            hear(json.dumps({"event": "error", "text": _first_line(error)}))
            self.found = Ended(1)
        except Exception as error:  # noqa: BLE001 - this thread must not end without a word
            self.found = Ended(1, f"was lost ({_first_line(error)})")
        finally:
            self.is_over.set()
            hear(None)

    def wait(self) -> Ended:
        self.is_over.wait()
        return self.found

    def stop(self) -> None:
        with suppress(Exception):
            self.ray.cancel(self.reference, force=False)

    def end(self) -> None:
        if not self.is_over.wait(2 * PATIENCE_SECONDS):
            with suppress(Exception):
                self.ray.cancel(self.reference, force=True)


def _first_line(error: Exception) -> str:
    """The last line of an error of the other side, which is the sentence; else the first of Ray's own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return (lines[-1] if "Traceback" in str(error) else lines[0])[:300].rstrip(".")
