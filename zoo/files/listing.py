"""What is in a folder: every regular file with its size and its digest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import Damaged
from zoo.files.checked import Identity, identity
from zoo.files.digests import sha256_file
from zoo.files.whole import GRAIN_SECONDS
from zoo.progress import Advance, unheard

_LARGE_BYTES = 1 << 20
_hashed: dict[tuple[int, Identity], str] = {}
"""By device and identity, so that a file keeps its digest when its folder is renamed into place."""


@dataclass(frozen=True, order=True)
class FileRecord:
    """A file of an artifact: path relative to its folder, size in bytes, sha256 in hexadecimal."""

    path: str
    size_bytes: int
    sha256: str


def records(folder: Path) -> tuple[FileRecord, ...]:
    """Every regular file below ``folder``, hashed, sorted. Raises Damaged on a link or a device."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Damaged(f"{path.name} is neither a regular file nor a folder", where=str(folder))
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            found.append(FileRecord(name, path.stat().st_size, sha256_of(path)))
    return tuple(sorted(found))


def sha256_of(path: Path, advance: Advance = unheard) -> str:
    """sha256 of a file; ``advance`` receives the number of bytes. A large file that this process hashed before, and
    that has not changed since, is not read again."""
    before, started = identity(path), time.time()
    if before is None or before[0] < _LARGE_BYTES:
        return sha256_file(path, advance)
    key = (path.lstat().st_dev, before)
    if known := _hashed.get(key):
        advance(before[0])
        return known
    found = sha256_file(path, advance)
    # A change right after the last one may leave the times as they are, so only older files are remembered.
    if identity(path) == before and started - before[2] / 1e9 > GRAIN_SECONDS:
        _hashed[key] = found
    return found
