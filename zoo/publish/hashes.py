"""Digests of release files, cached by path, size, times of change and inode; files are read again before they are
sent."""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import DamagedRelease
from zoo.files.digests import canonical_json, git_blob
from zoo.files.listing import FileRecord, sha256_of
from zoo.files.whole import write_atomic
from zoo.progress import Advance, unheard

GIT_BYTES = 16 << 20
"""Hubs identify files up to this size by git's digest, larger ones always by sha256."""

_SAVE_BYTES = 64 << 20
_CHUNK = 1 << 20
_COLUMNS = 6
"""Size, two times, inode, sha256, git's digest."""
_read_here: set[tuple[str | int, ...]] = set()


@dataclass(frozen=True)
class Digests:
    """git is git's blob digest, empty for large files."""

    sha256: str
    git: str


class Hashes:
    """The digests of one release's files, stored in the file ``path``, which may be deleted at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, list[str | int]] = _read(path)
        self._unsaved = 0

    def check(self, folder: Path, file: FileRecord, advance: Advance = unheard) -> Digests:
        """The digests of a file of the release. Raises DamagedRelease if it is a link or differs from its record."""
        path = folder / file.path
        key = f"{folder.name}/{file.path}"
        seen = _identity(path, folder, file)
        entry = self._known.get(key)
        if entry is None or entry[:4] != seen:
            found = _digest(path, file.size_bytes, advance)
            entry = [*seen, found.sha256, found.git]
            _read_here.add((str(path), *seen))
            self._known[key] = entry
            self._unsaved += max(file.size_bytes, 1)
            if self._unsaved >= _SAVE_BYTES:
                self.save()
        if entry[4] != file.sha256:
            raise DamagedRelease(
                f"{file.path} changed since the release was made: it has sha256 {entry[4]}, but its manifest says"
                f" {file.sha256}"
            )
        return Digests(str(entry[4]), str(entry[5]))

    def to_read(self, folder: Path, files: Iterable[FileRecord]) -> int:
        """Bytes that ``check`` would have to read."""
        known = self._known
        return sum(
            file.size_bytes
            for file in files
            if known.get(f"{folder.name}/{file.path}", [])[:4] != _identity(folder / file.path, folder, file)
        )

    def forget(self, folder: Path, files: Iterable[FileRecord]) -> None:
        """Make the next ``check`` read those of these files that this process has not read yet."""
        for file in files:
            key = f"{folder.name}/{file.path}"
            if (str(folder / file.path), *self._known.get(key, [])[:4]) not in _read_here:
                self._known.pop(key, None)

    def save(self) -> None:
        """Store what is known. On a full disk the next run only has to read more."""
        if self._unsaved:
            with contextlib.suppress(OSError):
                write_atomic(self.path, canonical_json(self._known))
                self._unsaved = 0


def _identity(path: Path, folder: Path, file: FileRecord) -> list[str | int]:
    """Size, time of change in nanoseconds, inode. Raises DamagedRelease unless it is a regular file of its recorded
    size."""
    between = [part for part in path.parents if part.is_relative_to(folder)]
    try:
        found = path.lstat()
        linked = any(part.is_symlink() for part in between)
    except OSError as error:
        raise DamagedRelease(
            f"{file.path} of the release cannot be read: {error.strerror}"
        ) from error
    if linked or not stat.S_ISREG(found.st_mode):
        raise DamagedRelease(
            f"{file.path} changed since the release was made: it is a link or not a regular file"
        )
    if found.st_size != file.size_bytes:
        raise DamagedRelease(
            f"{file.path} changed since the release was made: it has {found.st_size} bytes, but its manifest says"
            f" {file.size_bytes}"
        )
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _digest(path: Path, size: int, advance: Advance) -> Digests:
    """Of a file as it is now. A large one that this process has read since its last change is not read again."""
    if size > GIT_BYTES:
        return Digests(sha256_of(path, advance), "")
    sha256, git = hashlib.sha256(), git_blob(size)
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            git.update(chunk)
            advance(len(chunk))
    return Digests(sha256.hexdigest(), git.hexdigest())


def _read(path: Path) -> dict[str, list[str | int]]:
    try:
        data = shaped(jsontext.read(path, bounded=False), dict[str, list[str | int]])
        return {key: entry for key, entry in data.items() if len(entry) == _COLUMNS}
    except (OSError, ValueError):
        return {}
