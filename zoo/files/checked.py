"""Files that were compared with their recorded digest and need not be read again until they change.

The file's size, times of change and inode are stored next to the finished steps. This is only a cache: publishing reads
every file again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from catalog import jsontext
from catalog.shapes import shaped

Identity = tuple[int, int, int, int]
_known: dict[Path, dict[str, tuple[str, Identity]]] = {}


def identity(path: Path) -> Identity | None:
    """Size, modification and change time in nanoseconds, inode; None unless it is a regular file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def is_sound(path: Path, name: str, sha256: str, memory: Path | None) -> bool:
    """Whether the file ``path`` has this digest. It is read unless ``memory`` has its ``name`` with the same
    identity."""
    now = identity(path)
    if now is None:
        return False
    known = _read(memory)
    if known.get(name) == (sha256, now):
        return True
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return False
    # A file that changed while it was read has another identity the next time.
    if found != sha256 or identity(path) != now:
        return False
    known[name] = (sha256, now)
    _write(memory, known)
    return True


def remember(folder: Path, digests: Mapping[str, str], memory: Path) -> None:
    """Files of ``folder`` that were hashed just now, by name."""
    known = _read(memory)
    known.clear()
    for name, sha256 in digests.items():
        if (now := identity(folder / name)) is not None:
            known[name] = (sha256, now)
    _write(memory, known)


def _read(memory: Path | None) -> dict[str, tuple[str, Identity]]:
    if memory is None:
        return {}
    if memory not in _known:
        _known[memory] = {}
        with contextlib.suppress(OSError, ValueError):
            _known[memory] = shaped(jsontext.read(memory, bounded=False), dict[str, tuple[str, Identity]])
    return _known[memory]


def _write(memory: Path | None, known: Mapping[str, tuple[str, Identity]]) -> None:
    """On a full disk the next process only has to read more."""
    if memory is None:
        return
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{memory.name}.", suffix=".tmp", dir=memory.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(known, stream)
            Path(name).replace(memory)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
