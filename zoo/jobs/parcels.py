"""Which files of this machine a step reads: finished steps, sources, settings. For a node that does not see them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zoo.files.digests import sha256_file
from zoo.files.listing import sha256_of
from zoo.plan.plan import Plan
from zoo.plan.store import Workspace
from zoo.settings import MARKER, Settings
from zoo.sources import resolve
from zoo.stages.artifact import RECORD, Artifact

_reading = threading.Lock()
"""Several steps start at the same time. A file is read for one of them, and the others find its digest."""


@dataclass(frozen=True)
class File:
    """A file to send. at: where it is here."""

    sha256: str
    size_bytes: int
    at: Path


@dataclass(frozen=True)
class Parcel:
    """What steps read. steps: the files of finished steps, by key and path; zoo, work: files by their path in the zoo's
    folder and in the work folder."""

    steps: Mapping[str, Mapping[str, File]] = field(default_factory=dict)
    zoo: Mapping[str, File] = field(default_factory=dict)
    work: Mapping[str, File] = field(default_factory=dict)

    def __or__(self, other: Parcel) -> Parcel:
        return Parcel({**self.steps, **other.steps}, {**self.zoo, **other.zoo}, {**self.work, **other.work})

    def files(self, keys: Mapping[str, object] | set[str]) -> dict[str, File]:
        """By digest: those of the finished steps ``keys``, and all others."""
        found = [file for key in keys for file in self.steps[key].values()]
        return {file.sha256: file for file in (*found, *self.zoo.values(), *self.work.values())}


def of(plan: Plan, id_: str, settings: Settings) -> Parcel:
    """What the step ``id_`` reads, as far as it is here.

    Raises DamagedStep for an input that has changed, ModelFileError for a source that cannot be read.
    """
    step, store = plan.step(id_), Workspace(settings.work)
    made = [store.finished(plan.step(maker).key) for maker in dict.fromkeys(step.inputs.values())]
    with _reading:
        zoo = {MARKER: _file(settings.root / MARKER)}
        work: dict[str, File] = {}
        for spec in _sources(step.spec):
            folder, files = resolve.files_read(spec, settings.root, settings.work)
            (work if folder == settings.work else zoo).update((path, _file(real)) for path, real in files.items())
        return Parcel({one.key: _step(one) for one in made if one}, zoo, work)


def places(spec: Mapping[str, object]) -> list[str]:
    """Where in the work folder a step with this spec finds its sources, or puts those that it fetches itself."""
    return [path for one in _sources(spec) if (path := resolve.kept_at(one))]


def _sources(spec: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The sources that a step resolves: its own, or that of the teacher which it asks itself."""
    for one in (spec, spec.get("teacher")):
        if isinstance(one, Mapping) and "source" in one:
            yield one


def _step(made: Artifact) -> dict[str, File]:
    files = {one.path: File(one.sha256, one.size_bytes, made.path(one.path)) for one in made.files}
    record = made.folder / RECORD
    return files | {RECORD: File(sha256_file(record), record.stat().st_size, record)}


def _file(path: Path) -> File:
    return File(sha256_of(path), path.stat().st_size, path)
