"""Reading files of unknown kind: a pipe without a writer, an endless device, a folder, a loop of links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_CORPUS_BYTES = 256 << 20
"""Of a file of prompts or text: 60 million tokens, which a small model would need days to answer or to measure."""
MOST_CARD_BYTES = 4 << 20
"""Of a card or a list of results; a hub shows 100 kB of one."""
MOST_REPORT_BYTES = 64 << 20
"""Of a report of ours: some kilobytes for each published version."""


class TooLarge(OSError):
    """A file has more bytes than any that is of use."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        most = f"{most_bytes >> 20} MiB" if most_bytes >= 1 << 20 else f"{most_bytes >> 10} KiB"
        super().__init__(errno.EFBIG, f"it is larger than {most}", str(path))


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


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file. Raises TooLarge, before much is read, or another OSError."""
    with os.fdopen(open_handle(path), "rb") as stream:
        # It may also grow while it is read.
        if os.fstat(stream.fileno()).st_size > most_bytes or len(raw := stream.read(most_bytes + 1)) > most_bytes:
            raise TooLarge(path, most_bytes)
        return raw


def read_text(path: Path, most_bytes: int = MOST_REPORT_BYTES) -> str:
    """The same as text. Raises OSError, UnicodeDecodeError."""
    return read_bounded(path, most_bytes).decode("utf-8")
