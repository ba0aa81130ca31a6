"""Files that are either complete or missing, and that survive a power cut."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from zoo.files.locks import locked, locked_folder, locked_now

GRAIN_SECONDS = 0.02
"""Two changes of a file within this time may have the same time of change; Linux counts in steps of 1 to 10 ms."""

_COPY_BYTES = 1 << 22
_CANNOT_SEND = (errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EOVERFLOW)


def write_atomic(path: Path, data: str | bytes | Iterable[bytes], *, settled: bool = False) -> None:
    """Write a file atomically: temporary file next to it, fsync, rename. ``data`` may come in blocks.

    settled: the file appears when its time of change is GRAIN_SECONDS old, so that every later change has another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    try:
        _write_beside(path, (raw,) if isinstance(raw, bytes) else raw, settled)
    except OSError as error:
        # The target file, not the temporary one.
        error.filename, error.filename2 = str(path), None
        raise
    fsync(path.parent)


def write_alone(path: Path, data: str | bytes) -> None:
    """``write_atomic`` under the lock of the folder; what killed calls for this file left is removed."""
    with locked_folder(path.parent):
        sweep(path.parent, path.name)
        write_atomic(path, data)


def _write_beside(path: Path, blocks: Iterable[bytes], settled: bool) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(blocks)
            stream.flush()
            os.fsync(stream.fileno())
            changed = os.fstat(stream.fileno()).st_mtime
        if settled:
            time.sleep(min(GRAIN_SECONDS, max(0.0, GRAIN_SECONDS - (time.time() - changed))))
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``path`` at the end, or is deleted. What killed calls for ``path`` left is
    removed; one that still runs keeps its own. Raises OSError."""
    with locked_folder(path.parent):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            with locked_now(left) as is_free:
                if is_free:
                    shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        held = ExitStack()
        held.enter_context(locked(scratch))
    with held:
        try:
            yield scratch
            scratch.chmod(0o755)
            scratch.rename(path)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    fsync(path.parent)


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


def place_file(source: Path, target: Path) -> None:
    """Put a copy of a finished file at ``target``: a hard link where the file system allows, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The existing target may be a link to another finished file, which a copy would overwrite.
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def copy_bytes(source: IO[bytes], out: IO[bytes], start: int, end: int) -> None:
    """Append the bytes from ``start`` to ``end`` of one file to another, inside the kernel where it can.

    Raises OSError, also if ``source`` ends before ``end``.
    """
    out.flush()
    for at in _sent(source, out, start, end):
        start = at
    source.seek(start)
    while start < end:
        if not (chunk := source.read(min(_COPY_BYTES, end - start))):
            raise OSError(errno.EIO, "the file became shorter while it was copied", str(source.name))
        out.write(chunk)
        start += len(chunk)


def _sent(source: IO[bytes], out: IO[bytes], start: int, end: int) -> Iterator[int]:
    """Where each part that the kernel copied ends. Stops early on a system that cannot copy between files this way."""
    while start < end:
        try:
            count = os.sendfile(out.fileno(), source.fileno(), start, min(_COPY_BYTES, end - start))
        except OSError as error:
            if error.errno in _CANNOT_SEND:
                return
            raise
        if not count:
            return
        start += count
        yield start


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what interrupted calls of ``write_atomic`` left of files ``name``. The caller holds their lock."""
    for left in folder.glob(f".{name}.*.tmp"):
        left.unlink(missing_ok=True)
