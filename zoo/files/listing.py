"""What is in a folder: every regular file with its size and its digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.errors import Damaged
from zoo.files.checked import Identity, identity
from zoo.files.digests import sha256_file

_LARGE_BYTES = 1 << 20
_hashed: dict[Path, tuple[Identity, str]] = {}


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


def sha256_of(path: Path) -> str:
    """sha256 of a file. A large file that this process hashed before, and that has not changed since, is not read
    again."""
    before = identity(path)
    known = _hashed.get(path)
    if known and known[0] == before:
        return known[1]
    found = sha256_file(path)
    if before and before[0] >= _LARGE_BYTES and identity(path) == before:
        _hashed[path] = (before, found)
    return found
