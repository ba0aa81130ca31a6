"""The work folder: finished steps, and steps that are growing.

A finished step is in ``WORK/KEY/``, moved there by one rename. ``WORK/partial/KEY/`` is where it grows, and it resumes
from there after a kill. A lock file per key prevents two processes from growing the same step.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.paths import unsafe_reason
from catalog.shapes import shaped
from zoo.errors import Damaged, ZooError
from zoo.files import checked
from zoo.files.digests import digest, pretty_json
from zoo.files.listing import FileRecord, records
from zoo.files.locks import locked
from zoo.files.whole import fsync, place_file, sync, write_atomic
from zoo.machine.processor import Processor, from_record
from zoo.stages.artifact import RECORD, Artifact

_LONGEST_KIND = 100
_PROCESSORS = "processors"


class _Record(TypedDict):
    kind: str
    files: list[FileRecord]
    facts: dict[str, object]


class Workspace:
    """The work folder: finished steps by key, and steps that are growing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self, key: str) -> Artifact | None:
        """The finished step ``key``, if it exists and every file has its recorded size."""
        return self._read(self.folder / key, key)

    def _read(self, folder: Path, key: str) -> Artifact | None:
        try:
            told = shaped(jsontext.read((folder / RECORD), bounded=False), dict[str, object])
            if told.pop("sha256", None) not in (None, digest(told)):
                return None
            record = shaped(told, _Record)
            if len(record["kind"]) > _LONGEST_KIND:
                return None
            files = tuple(record["files"])
            if any((folder / file.path).stat().st_size != file.size_bytes for file in files):
                return None
            return Artifact(record["kind"], key, folder, files, record["facts"], self._memory(key))
        except (OSError, ValueError):
            return None

    def partial(self, key: str) -> Path:
        """The folder in which step ``key`` grows; kept after a kill so that the step can continue."""
        folder = self.folder / "partial" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def leave(self, key: str) -> None:
        """Remove the traces of a step that was refused before it made anything. The caller holds its lock."""
        partial = self.folder / "partial" / key
        if not any(path.is_file() for path in partial.rglob("*")):
            shutil.rmtree(partial, ignore_errors=True)
            self.lock(key).unlink(missing_ok=True)
            for empty in (partial.parent, self.lock(key).parent):
                with contextlib.suppress(OSError):
                    empty.rmdir()

    def sweep(self, key: str) -> None:
        """Remove the working folder of a finished step, which a kill right after its last rename leaves."""
        partial = self.folder / "partial" / key
        if partial.exists():
            # Another process may be making the step again; the lock says when it has ended.
            with self.growing(key, lambda: None):
                if self.finished(key) is not None:
                    shutil.rmtree(partial, ignore_errors=True)

    @contextmanager
    def growing(self, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the right to grow step ``key``."""
        with locked(self.lock(key), on_wait):
            yield

    def lock(self, key: str) -> Path:
        """The file whose lock ``growing`` holds."""
        return self.folder / "locks" / key

    def finish(
        self, key: str, kind: str, out: Path, facts: Mapping[str, object], spec: Mapping[str, object]
    ) -> Artifact:
        """Move the grown folder ``out`` into place as finished step ``key``, with its record inside."""
        files = records(out)
        if not files:
            raise ZooError(f"step {kind} wrote no file", remedy="Report this as a bug")
        record = {
            "kind": kind,
            "key": key,
            "files": [vars(file) for file in files],
            "facts": facts,
            "spec": spec,
        }
        # The facts are results as well; without this, nothing would verify them.
        write_atomic(out / RECORD, pretty_json({**record, "sha256": digest(record)}))
        return self._place(key, out, Artifact(kind, key, self.folder / key, files, facts, self._memory(key)))

    def adopt(self, key: str, files: Mapping[str, Path], digests: Mapping[str, str]) -> Artifact:
        """Put a step that was finished on another machine in its place. files: by path, its record among them; digests:
        of each, just found. The caller holds the lock of the step.

        Raises Damaged if the files are not those of the record.
        """
        out = self.partial(key) / "arrived"
        shutil.rmtree(out, ignore_errors=True)
        for path, source in files.items():
            if reason := unsafe_reason(path):
                raise Damaged(f"a file of step {key[:12]} {reason}")
            place_file(source, out / path)
        found = self._read(out, key)
        own = {path: sha256 for path, sha256 in digests.items() if path != RECORD}
        if (
            found is None or {one.path: one.sha256 for one in found.files} != own
            or table(jsontext.read(out / RECORD, bounded=False)).get("key") != key
        ):  # fmt: skip
            raise Damaged(f"step {key[:12]} is not as its record says")
        return self._place(key, out, found)

    def _place(self, key: str, out: Path, artifact: Artifact) -> Artifact:
        """Move a folder with everything into place."""
        sync(out)
        target = self.folder / key
        if target.exists():
            # Only a damaged one can be here: finished() refused it.
            shutil.rmtree(target)
        out.rename(target)
        fsync(self.folder)
        shutil.rmtree(self.folder / "partial" / key, ignore_errors=True)
        checked.remember(target, {file.path: file.sha256 for file in artifact.files}, self._memory(key))
        return replace(artifact, folder=target)

    def discard(self, key: str) -> None:
        """Remove a finished step that is damaged or stale. The caller does not hold its lock."""
        with locked(self.lock(key)):
            shutil.rmtree(self.folder / key, ignore_errors=True)
            self._memory(key).unlink(missing_ok=True)

    def processors(self) -> list[Processor]:
        """The processors that have finished steps here."""
        found = []
        for path in sorted((self.folder / _PROCESSORS).glob("*.json")):
            with contextlib.suppress(OSError, ValueError):
                found.append(from_record(jsontext.read(path)))
        return [one for one in found if one is not None]

    def remember(self, processor: Processor) -> None:
        """Note that this processor has finished a step here."""
        record = asdict(processor)
        path = self.folder / _PROCESSORS / f"{digest(record)[:16]}.json"
        if not path.exists():
            write_atomic(path, pretty_json(record))

    def _memory(self, key: str) -> Path:
        return self.folder / "checked" / f"{key}.json"
