"""Reading files of unknown kind: a pipe without a writer, an endless device, a folder, a loop of links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_handle(path: Path) -> int:
    """A plain file, opened for reading. Raises OSError, also for what is not a regular file.

    It is opened without waiting, because a pipe may have replaced the file in the meantime.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return handle


def read_bytes(path: Path, most_bytes: int | None = None) -> bytes:
    """The content of a regular file, up to a limit. Raises OSError, also for what is not a regular file."""
    with os.fdopen(open_handle(path), "rb") as stream:
        return stream.read(most_bytes if most_bytes is not None else -1)


def read_text(path: Path) -> str:
    """The same as text. Raises OSError, UnicodeDecodeError."""
    return read_bytes(path).decode("utf-8")
