"""Whole-or-nothing files and folders, digests, and locks between processes.

A finished step lives in ``WORK/KEY/`` and was renamed there in one go; ``WORK/partial/KEY/`` is where it grows, and
what it may continue from after a kill. A lock file per key keeps two processes from growing the same step.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog import jsontext
from zoo import checked
from zoo.errors import Damaged, DamagedStep, ZooError
from zoo.progress import Advance, unheard

RECORD = "artifact.json"
_LONGEST_KIND = 100
_CHUNK = 1 << 20


@dataclass(frozen=True, order=True)
class FileRecord:
    """A file of an artifact: path relative to its folder, size in bytes, sha256 in hexadecimal."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """A finished step: ``files`` are sorted by path and never edited. ``facts`` is what the stage says of them."""

    kind: str
    key: str
    folder: Path
    files: tuple[FileRecord, ...]
    facts: Mapping[str, Any]
    memory: Path | None = field(default=None, compare=False, repr=False)

    def path(self, name: str) -> Path:
        """The place of one file, which is what it was when the step finished.

        Raises DamagedStep if it is not, Damaged if the artifact has no such file.
        """
        for record in self.files:
            if record.path == name:
                self._check(record)
                return self.folder / name
        raise Damaged(f"step {self.kind} has no file {name}", remedy=f"Delete {self.folder} and run again")

    def whole(self) -> Path:
        """The folder, every file of which is what it was when the step finished. Raises DamagedStep."""
        for record in self.files:
            self._check(record)
        return self.folder

    def _check(self, record: FileRecord) -> None:
        if not checked.is_sound(self.folder / record.path, record.path, record.sha256, self.memory):
            raise DamagedStep(self.kind, self.key, record.path)

    def json(self, name: str) -> Any:
        """The content of one JSON file."""
        return jsontext.read(self.path(name), bounded=False)


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN. Digests are taken of this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def pretty_json(value: Any) -> str:
    """JSON for people and for diffs: sorted keys, two spaces, no NaN, a final newline."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest(value: Any) -> str:
    """sha256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sha256_file(path: Path, advance: Advance = unheard) -> str:
    """sha256 of a file's content; ``advance`` is told the bytes read."""
    sha = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            sha.update(chunk)
            advance(len(chunk))
    return sha.hexdigest()


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a whole file or nothing: temporary file beside it, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    try:
        _write_beside(path, raw)
    except OSError as error:
        # The file that was wanted, not the temporary one.
        error.filename, error.filename2 = str(path), None
        raise
    fsync(path.parent)


def _write_beside(path: Path, raw: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def fsync(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(folder: Path) -> None:
    """Make every file and name below ``folder`` survive a power cut, before the folder is renamed into place."""
    for path in sorted(folder.rglob("*"), reverse=True):
        fsync(path)
    fsync(folder)


def records(folder: Path) -> tuple[FileRecord, ...]:
    """Every plain file below ``folder``, hashed, sorted. Raises Damaged on a link or a device."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Damaged(f"{path.name} is neither a plain file nor a folder", where=str(folder))
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found.append(FileRecord(name, path.stat().st_size, sha256_file(path)))
    return tuple(sorted(found))


def place_file(source: Path, target: Path) -> None:
    """Put a copy of a finished file at ``target``: a hard link where the file system allows, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # What stands there may be a link to another finished file, which a copy would write into.
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock between processes; ``on_wait`` is called once if another holds it.

    The lock is on the file ``path``, made if it is missing, or on the folder that is there. For a folder that may be
    missing, see ``locked_folder``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        yield


@contextmanager
def locked_now(path: Path | None) -> Iterator[bool]:
    """Hold the lock of ``locked`` if nobody has it: yields whether it is held. None is a lock that nobody has."""
    if path is None:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what killed calls of ``write_atomic`` left of files ``name``. The caller holds their lock."""
    for left in folder.glob(f".{name}.*.tmp"):
        left.unlink(missing_ok=True)


def free_bytes(folder: Path) -> int:
    """Free space where ``folder`` is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


class Workspace:
    """The work folder: finished steps by key, and steps that are growing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def finished(self, key: str) -> Artifact | None:
        """The finished step ``key``, if it is there and every file still has its recorded size."""
        folder = self.folder / key
        try:
            record = jsontext.read((folder / RECORD), bounded=False)
            if record.pop("sha256", None) not in (None, digest(record)):
                return None
            if not isinstance(record["kind"], str) or len(record["kind"]) > _LONGEST_KIND:
                return None
            files = tuple(FileRecord(**entry) for entry in record["files"])
            if any((folder / file.path).stat().st_size != file.size_bytes for file in files):
                return None
            return Artifact(record["kind"], key, folder, files, record["facts"], self._memory(key))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def partial(self, key: str) -> Path:
        """The folder in which step ``key`` grows; kept after a kill so that the step can continue."""
        folder = self.folder / "partial" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def growing(self, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the right to grow step ``key``."""
        with locked(self.lock(key), on_wait):
            yield

    def lock(self, key: str) -> Path:
        """The file whose lock ``growing`` holds."""
        return self.folder / "locks" / key

    def finish(
        self, key: str, kind: str, out: Path, facts: Mapping[str, Any], spec: Mapping[str, Any]
    ) -> Artifact:
        """Move the grown folder ``out`` into place as finished step ``key``, with its record inside."""
        files = records(out)
        if not files:
            raise ZooError(f"step {kind} made no file", remedy="Report this as a fault of the program")
        record = {
            "kind": kind,
            "key": key,
            "files": [vars(file) for file in files],
            "facts": facts,
            "spec": spec,
        }
        # The facts are results as well; without this, nothing would vouch for them.
        write_atomic(out / RECORD, pretty_json({**record, "sha256": digest(record)}))
        sync(out)
        target = self.folder / key
        if target.exists():
            # Only a damaged one can stand here: finished() refused it.
            shutil.rmtree(target)
        out.rename(target)
        fsync(self.folder)
        shutil.rmtree(self.folder / "partial" / key, ignore_errors=True)
        checked.remember(target, {file.path: file.sha256 for file in files}, self._memory(key))
        return Artifact(kind, key, target, files, facts, self._memory(key))

    def discard(self, key: str) -> None:
        """Remove a finished step that is damaged or stale. The caller does not hold its lock."""
        with locked(self.lock(key)):
            shutil.rmtree(self.folder / key, ignore_errors=True)
            self._memory(key).unlink(missing_ok=True)

    def _memory(self, key: str) -> Path:
        return self.folder / "checked" / f"{key}.json"
