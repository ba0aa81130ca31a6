"""The machines of a cluster: what they are, which steps fit on them, and which of them see the zoo's folder."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.words import counted, data_size
from zoo import extras
from zoo.files.whole import write_atomic
from zoo.jobs.tasks import Task

FACTS = ("host", "seen", "processor", "folder", "keeps_bytes")
"""What a node says of itself that may differ: its name, the text of the marker, its processor, and where it keeps how
much if it does not see the marker. Everything else that it says is a version."""


@dataclass(frozen=True)
class Node:
    """One machine of the cluster, with what Ray counts of it."""

    id: str
    address: str
    cpus: float
    gpus: float
    memory_bytes: float


def unplaceable(tasks: Sequence[Task], nodes: Sequence[Node], threads: int) -> Iterator[str]:
    """Tasks that no node has room for, in words: Ray would wait for a larger one for ever."""
    if not nodes:
        yield "no node is alive"
    elif threads > (most := max(node.cpus for node in nodes)):
        yield f"every step uses {counted(threads, 'thread')}, and the largest machine has {most:g} processors"
    for task in tasks if nodes else ():
        fits = [node for node in nodes if node.gpus >= task.gpus and node.memory_bytes >= (task.memory_bytes or 0)]
        if not fits and not task.at_home:
            needs = [counted(task.gpus, "GPU")] if task.gpus else []
            needs += [f"{data_size(task.memory_bytes)} of memory"] if task.memory_bytes else []
            yield f"{task.recipe} {task.step} needs {' and '.join(needs)}"


def unlike(mine: Mapping[str, str], found: Mapping[str, str], where: str) -> Iterator[str]:
    """Why a node cannot make the steps, in words. mine, found: what ``raytask.look`` says here and there."""
    for name, version in mine.items():
        if name not in FACTS and found.get(name) != version:
            yield f"{where} has {name} {found.get(name, extras.ABSENT)}, this machine {version}"


@contextmanager
def marked(work: Path) -> Iterator[tuple[str, str]]:
    """A new file in the work folder while the block runs: its path, and its text. Only who sees the folder can read
    it."""
    marker, said = work / f"cluster-{secrets.token_hex(8)}", secrets.token_hex(16)
    write_atomic(marker, said)
    try:
        yield str(marker.resolve()), said
    finally:
        marker.unlink(missing_ok=True)


def sending(found: Mapping[str, str], where: str, work: Path, size_bytes: int) -> str:
    """What a node is sent that does not see the work folder. size_bytes: of what is here now and missing there."""
    most = data_size(int(found["keeps_bytes"]))
    return (
        f"{where} does not see {work}. Its steps get what they read by digest: {data_size(size_bytes)} of what is here "
        f"now, and the results of other steps. It keeps up to {most} in {found['folder']}"
    )
