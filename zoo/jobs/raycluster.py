"""Runs tasks on a Ray cluster, whose nodes have zoo installed. Ray places each task on one of them.

A task is one ``zoo build --step`` in a process of its own: in the zoo's folder if the node sees it, otherwise in one
that is made for the step (``zoo.jobs.fetched``). Ray repeats nothing by itself: a task whose worker or node is lost is
started again here, so that no step is made twice. Source of the behaviour: docs.ray.io, "Ray Client" and "Actor Fault
Tolerance" (Ray 2.60).
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Protocol

from zoo import extras, stopping
from zoo.errors import AGAIN, DamagedStep, InputError, ZooError
from zoo.jobs import flags, nodes, parcels, raytask
from zoo.jobs.attempt import Try, first_line
from zoo.jobs.engine import Attempt, Hear, Worker
from zoo.jobs.fetched import Home
from zoo.jobs.nodes import Node
from zoo.jobs.parcels import Parcel
from zoo.jobs.processes import Processes
from zoo.jobs.tasks import Room, Task
from zoo.plan.prepare import Planned
from zoo.progress import Reporter
from zoo.settings import Settings

SCHEME = "ray://"
HERE = "auto"
"""What Ray calls the cluster that runs on this machine."""
AUTH_MODE = "RAY_AUTH_MODE"
TRIES = 4
"""How often a step is started: a step is not to blame for a lost node, and rented machines are taken back."""
_ANSWERED = "Initialization failure from server"
"""How Ray's errors begin whose reason is on the head node: it waits 30 seconds for a process of its own there."""
CONNECT_TRIES = 3
"""How often a head node is asked that has answered. Several commands at the same time can be too much for it."""
LOOK_SECONDS = 60.0
"""How long a node has to say what it is. A worker of Ray starts in a few seconds."""


@dataclass(frozen=True)
class Work:
    """What is to be made. plans: by the word for the recipe. jobs: at most so many tasks at the same time, None for as
    many as the cluster has processors for."""

    tasks: Sequence[Task]
    plans: Mapping[str, Planned]
    worker: Worker
    jobs: int | None


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
def connected(work: Work, address: str, settings: Settings, report: Reporter) -> Iterator[Cluster]:
    """The cluster at ``address`` as an engine for this work. report: hears what is sent to which node.

    Raises InputError for what is not an address, MissingExtra without Ray, and ZooError if the cluster does not answer
    or its nodes cannot make the tasks.
    """
    refuse_address(address)
    # Ray would report how it is used to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = extras.load("ray")
    # It advises against many calls and large ones, which is how files travel.
    warnings.filterwarnings("ignore", module=r"ray\.util\.client")
    # Without an answer this takes a minute.
    report.say(f"Asking the Ray cluster {address} for its machines")
    _connect(ray, address)
    try:
        there = _nodes(ray)
        mine, away = _looked(ray, there, address, settings)
        if faults := list(nodes.unplaceable(work.tasks, there, settings.threads)):
            raise ZooError(
                "\n".join([f"{address} has no machine for these steps", *(f"  {fault}" for fault in faults)]),
                safe="Nothing was started.", remedy="Add a larger machine, or lower --threads",
            )  # fmt: skip
        home = Home(settings, work.plans, lambda task: work.worker.words(task, 1), flags.environment(settings))
        for line in _sendings(ray, away, _existing(work, settings) if away else Parcel(), settings):
            report.say(line)
        slots = int(sum(node.cpus for node in there) // settings.threads)
        room = Room(min(work.jobs or slots, slots), None, placed=True)
        most = max(node.cpus for node in there)
        yield Cluster(ray, home, mine, Processes(work.worker, Room(1, None), folder=settings.root), room, most)
    finally:
        ray.shutdown()


def _connect(ray: ModuleType, address: str) -> None:
    target = HERE if address == SCHEME else address
    for more in reversed(range(CONNECT_TRIES)):
        try:
            # Ray's own answer to SIGTERM ends this process without a word.
            with warnings.catch_warnings(), stopping.kept():
                # The error says the same.
                warnings.simplefilter("ignore")
                ray.init(target, logging_level="ERROR", log_to_driver=False)
            return
        except ImportError as error:
            raise extras.explain(error) or error from None
        except Exception as error:  # Ray reports with a dozen kinds, down to those of gRPC
            if not more or _ANSWERED not in str(error):
                raise unusable(address, error, os.environ.get(AUTH_MODE, "")) from error


def unusable(address: str, error: Exception, mode: str) -> ZooError:
    """Why the cluster cannot be used, in words. error: of Ray; mode: of authentication, here."""
    return ZooError(
        f"the Ray cluster {address} cannot be used: {first_line(error)}", safe="Nothing was started.",
        remedy=_remedy(mode, has_answered=_ANSWERED in str(error)), again=AGAIN,
    )  # fmt: skip


def _remedy(mode: str, *, has_answered: bool) -> str:
    """What to look at. Without a mode of authentication Ray sends no token to an address, and the head of a cluster
    with a token is then silent. Zoo leaves it so: whom a token is sent to is for its owner to say.
    """
    if has_answered:
        return "Wait if its head node is busy. See there: /tmp/ray/session_latest/logs/ray_client_server*.err"
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


def _looked(
    ray: ModuleType, there: Sequence[Node], address: str, settings: Settings
) -> tuple[Mapping[str, str], list[tuple[Node, Mapping[str, str]]]]:
    """What this machine is, and the nodes that do not see the work folder, with what they are. Raises ZooError with
    every node that does not answer, or has other packages than this machine."""
    with nodes.marked(settings.work) as (marker, said):
        asked = [_on(ray, node, raytask.look).remote(marker) for node in there]
        mine, faults, away = raytask.look(marker), list[str](), []
        for node, question in zip(there, asked, strict=True):
            try:
                found = ray.get(question, timeout=LOOK_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, that node is of no use
                faults.append(f"{node.address}: {first_line(error)}")
            else:
                faults += nodes.unlike(mine, found, f"{node.address} ({found['host']})")
                away += [(node, found)] if found["seen"] != said else []
    if faults:
        raise ZooError(
            "\n".join([f"{address} cannot make these steps", *(f"  {fault}" for fault in faults)]),
            safe="Nothing was started.", remedy="Make all nodes alike, with the same versions", again=AGAIN,
        )  # fmt: skip
    return mine, away


def _existing(work: Work, settings: Settings) -> Parcel:
    """Everything that the tasks read and that is here before the start."""
    found = Parcel()
    for task in work.tasks:
        # An input that is damaged is reported when it is sent.
        with suppress(DamagedStep):
            found |= Parcel() if task.at_home else parcels.of(work.plans[task.recipe].plan, task.step, settings)
    return found


def _sendings(
    ray: ModuleType, away: Sequence[tuple[Node, Mapping[str, str]]], parcel: Parcel, settings: Settings
) -> Iterator[str]:
    """What each of these nodes is sent, in words."""
    every = parcel.files(parcel.steps)
    asked = [_on(ray, node, raytask.lacking).remote([*parcel.steps], [*every]) for node, _ in away]
    for (node, found), question in zip(away, asked, strict=True):
        keys, digests = ray.get(question, timeout=LOOK_SECONDS)
        wanted = parcel.files({*keys})
        size = sum(wanted[one].size_bytes for one in digests if one in wanted)
        yield nodes.sending(found, f"{node.address} ({found['host']})", settings.work.resolve(), size)


def _on(ray: ModuleType, node: Node, function: Callable[..., object]) -> _Remote:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node.id, soft=False)
    remote: _Remote = ray.remote(function)
    return remote.options(num_cpus=0, max_retries=0, scheduling_strategy=there)


class _Remote(Protocol):
    """A function that Ray runs on a node, or a class of which it makes an object there. ``remote`` returns a reference
    to the result."""

    def options(self, **options: object) -> _Remote: ...

    def remote(self, *arguments: object) -> object: ...


@dataclass
class Cluster:
    """The engine. mine: what ``raytask.look`` says of this machine; local: makes steps on it. most_cpus: of the largest
    node.
    """

    ray: ModuleType
    home: Home
    mine: Mapping[str, str]
    local: Processes
    room: Room
    most_cpus: float
    tries: int = TRIES
    _seat: _Remote = field(init=False)

    def __post_init__(self) -> None:
        self._seat = self.ray.remote(raytask.Seat)

    def start(self, task: Task, hear: Hear) -> Attempt:
        """Hand a task to Ray, and wait for it in a thread. What measures time gets a machine for itself, and what needs
        this machine is made here."""
        if task.at_home:
            return self.local.start(task, hear)
        one = Try(self.ray, self.home, self.mine, self.local, lambda: self._place(task), task)
        threading.Thread(target=one.listen, args=(hear,), daemon=True).start()
        return one

    def _place(self, task: Task) -> object:
        """A place on a node with what the task needs. It can be asked to stop while it works."""
        placed = self._seat.options(
            num_cpus=self.most_cpus if task.alone else self.home.settings.threads, num_gpus=task.gpus,
            memory=task.memory_bytes or None, max_restarts=0, max_task_retries=0, max_concurrency=2,
        )  # fmt: skip
        return placed.remote()
