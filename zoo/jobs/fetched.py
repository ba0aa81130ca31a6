"""Makes a step on a node that does not see the zoo's folder: sends what it reads, and fetches what it makes.

Files go in pieces and are compared with their digest on the other side. What arrived otherwise is sent again. The lock
of the step is held here, and its result is put into the work folder here, complete or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from catalog.paths import unsafe_reason
from catalog.words import data_size
from zoo.errors import AGAIN, DamagedStep, ZooError
from zoo.files.blobs import Blobs
from zoo.files.digests import digest
from zoo.files.whole import write_atomic
from zoo.jobs import given, parcels
from zoo.jobs.engine import Hear, event
from zoo.jobs.parcels import File, Parcel
from zoo.jobs.tasks import Task
from zoo.machine.processor import Processor
from zoo.machine.resources import free_bytes
from zoo.plan import plan as plans
from zoo.plan.costs import RESERVE_BYTES
from zoo.plan.plan import Plan
from zoo.plan.prepare import Planned
from zoo.plan.store import Workspace
from zoo.runs.places import FOLDER as RUNS
from zoo.runs.places import SUFFIX
from zoo.settings import Settings

PIECE_BYTES = 1 << 25
"""Of a file: what is in memory at one time, here, in Ray and on the node."""
TRIES = 3
"""How often a file is sent that arrives damaged."""


class There(Protocol):
    """The node; see ``zoo.jobs.depot`` and ``zoo.jobs.raytask``."""

    def hold(self, keys: Sequence[str], digests: Sequence[str], places: Sequence[str]) -> None: ...
    def steps_missing(self, keys: Sequence[str]) -> list[str]: ...
    def files_missing(self, digests: Sequence[str]) -> list[str]: ...
    def expect(self, size_bytes: int) -> None: ...
    def begin(self, sha256: str) -> int: ...
    def add(self, sha256: str, start: int, data: bytes) -> None: ...
    def finish(self, sha256: str, size_bytes: int) -> bool: ...
    def adopt(self, key: str, digests: Mapping[str, str]) -> None: ...
    def lay(self, given: str, zoo: Mapping[str, str], work: Mapping[str, str]) -> tuple[str, str, str]: ...
    def make(self, words: Sequence[str], root: str, variables: Mapping[str, str]) -> tuple[int, list[str]]: ...
    def made(self, key: str) -> dict[str, tuple[str, int]]: ...
    def piece(self, key: str, path: str, start: int, count: int) -> bytes: ...
    def journals(self, key: str) -> dict[str, str]: ...
    def leave(self) -> None: ...


@dataclass(frozen=True)
class Home:
    """The machine of the command. plans: by the word for the recipe. words: of the command that makes a task, without
    the recipe. variables: of its environment."""

    settings: Settings
    plans: Mapping[str, Planned]
    words: Callable[[Task], Sequence[str]]
    variables: Mapping[str, str]


def plan_on(planned: Planned, processor: Processor, store: Workspace) -> Plan:
    """The plan of a recipe for a step on a node with this processor: its inputs are those that are finished, whichever
    processor made them."""
    known = (processor, *planned.world.processors, *store.processors())
    checked = planned.checked
    world = replace(planned.world, processors=tuple(dict.fromkeys(known)))
    return plans.make(planned.recipe, digest(checked.text.decode()), checked.lock, world)


def make(task: Task, there: There, processor: Processor, home: Home, hear: Hear) -> int:
    """Make a task on a node with this processor. Returns the exit code of its process; after 0 the step is finished
    here. hear: gets what the process wrote.

    Raises ZooError if something did not arrive.
    """
    store = Workspace(home.settings.work)
    plan = plan_on(home.plans[task.recipe], processor, store)
    step = plan.step(task.step)
    with store.growing(step.key, lambda: hear(event("warning", "another zoo is making this step; waiting for it"))):
        if store.finished(step.key):
            return 0
        try:
            parcel = parcels.of(plan, step.id, home.settings)
        except DamagedStep as damage:
            store.discard(damage.key)
            raise
        there.hold([*parcel.steps, step.key], [*parcel.files(parcel.steps)], parcels.places(step.spec))
        give(parcel, there)
        root, work, told = there.lay(
            given.text(plan, step.id, task.memory_bytes), _digests(parcel.zoo), _digests(parcel.work)
        )
        words = [*home.words(task), "--work", work, "--given", told, "--", task.recipe]
        code, lines = there.make(words, root, home.variables)
        for line in lines:
            hear(line)
        _keep(there.journals(step.key), home.settings.work)
        if code == 0:
            take(step.key, there, store)
            if step.processor:
                store.remember(step.processor)
        else:
            store.leave(step.key)
        there.leave()
    return code


def _digests(files: Mapping[str, File]) -> dict[str, str]:
    return {path: file.sha256 for path, file in files.items()}


def give(parcel: Parcel, there: There) -> None:
    """Send what the node has not. Raises ZooError."""
    keys = there.steps_missing([*parcel.steps])
    files = parcel.files({*keys})
    missing = there.files_missing([*files])
    there.expect(sum(files[sha256].size_bytes for sha256 in missing))
    for sha256 in missing:
        _send(files[sha256], there)
    for key in keys:
        there.adopt(key, _digests(parcel.steps[key]))


def _send(file: File, there: There) -> None:
    for _ in range(TRIES):
        start = there.begin(file.sha256)
        with _opened(file.at) as stream:
            stream.seek(start)
            while data := _piece(file.at, stream):
                there.add(file.sha256, start, data)
                start += len(data)
        if there.finish(file.sha256, file.size_bytes):
            return
    raise ZooError(
        f"{file.at} did not arrive as it is, {TRIES} times", safe="Finished steps are kept.",
        remedy="If it changes while the command runs, wait for that. Otherwise check the disks and the network",
        again=AGAIN,
    )  # fmt: skip


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unread(path, error) from error


def _piece(path: Path, stream: BinaryIO) -> bytes:
    try:
        return stream.read(PIECE_BYTES)
    except OSError as error:
        raise _unread(path, error) from error


def _unread(path: Path, error: OSError) -> ZooError:
    gone = isinstance(error, FileNotFoundError)
    what = "was deleted or moved" if gone else f"cannot be read: {error.strerror or error}"
    return ZooError(
        f"a file that a step reads {what}", where=str(path), safe="Finished steps are kept.",
        remedy="Put it back" if gone else "Check its permissions and the disk", again=AGAIN,
    )  # fmt: skip


def take(key: str, there: There, store: Workspace) -> None:
    """Fetch a finished step and put it into its place. The caller holds its lock. Raises ZooError."""
    blobs = Blobs(store.partial(key) / "fetched")
    files = there.made(key)
    size, free = sum(size for _, size in files.values()), free_bytes(store.folder)
    if free < size + RESERVE_BYTES:
        raise ZooError(
            f"the result of a step has {data_size(size)}, and {data_size(free)} are free on this machine, "
            f"{data_size(RESERVE_BYTES)} of it in reserve",
            where=str(store.folder), safe="The result stays on its node.", remedy="Free some space", again=AGAIN,
        )  # fmt: skip
    for path, (sha256, size) in files.items():
        if not blobs.has(sha256):
            _fetch(key, path, File(sha256, size, blobs.path(sha256)), there, blobs)
    found = {path: sha256 for path, (sha256, _) in files.items()}
    with _writing(store.folder):
        store.adopt(key, {path: blobs.path(sha256) for path, sha256 in found.items()}, found)


def _fetch(key: str, path: str, file: File, there: There, blobs: Blobs) -> None:
    for _ in range(TRIES):
        with blobs.growing(file.sha256) as start:
            while start < file.size_bytes:
                data = there.piece(key, path, start, min(PIECE_BYTES, file.size_bytes - start))
                if not data:
                    break
                with _writing(blobs.folder):
                    blobs.add(file.sha256, start, data)
                start += len(data)
            with _writing(blobs.folder):
                if blobs.finish(file.sha256, file.size_bytes):
                    return
    raise ZooError(
        f"{path} of step {key[:12]} did not arrive as it is on the node, {TRIES} times",
        safe="Finished steps are kept.", remedy="Check the disks and the network", again=AGAIN,
    )  # fmt: skip


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ZooError(
            "what had arrived of the result of a step was deleted", where=str(folder), safe="It stays on its node.",
            remedy="Delete nothing in the work folder while a command runs", again=AGAIN,
        ) from error  # fmt: skip
    except OSError as error:
        raise ZooError(
            f"the result of a step could not be written: {error.strerror or error}", where=str(folder),
            safe="It stays on its node.", remedy="Free some space or fix the permissions", again=AGAIN,
        ) from error  # fmt: skip


def _keep(journals: Mapping[str, str], work: Path) -> None:
    """Put the journals of runs on a node among those of this machine. None of them stops a run."""
    for name, text in journals.items():
        path = work / RUNS / name
        if name.endswith(SUFFIX) and not unsafe_reason(name) and "/" not in name and not path.exists():
            with suppress(OSError):
                write_atomic(path, text)
