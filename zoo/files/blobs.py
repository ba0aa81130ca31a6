"""Files by their digest. One that arrives in pieces grows next to them, and is compared with its digest at its end.

What is there of a file stays after a kill, and its arrival resumes. Bytes that do not have the digest never count.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import Damaged
from zoo.files.digests import sha256_file
from zoo.files.locks import locked
from zoo.files.whole import fsync

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The files in ``folder``, each with its sha256 as its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the file is, or will be. Raises Damaged for what is not a digest: it may come from another machine."""
        if not _SHA256.fullmatch(sha256):
            raise Damaged(f"{sha256[:80]!r} is not a sha256")
        return self.folder / sha256

    def has(self, sha256: str) -> bool:
        """Whether the complete file is there. It is read; one that has changed is deleted."""
        path = self.path(sha256)
        try:
            is_sound = sha256_file(path) == sha256
        except OSError:
            return False
        if not is_sound:
            path.unlink(missing_ok=True)
        return is_sound

    @contextmanager
    def growing(self, sha256: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[int]:
        """Hold the right to add to a file. Yields how many bytes of it have arrived."""
        with locked(self.folder / "locks" / self.path(sha256).name, on_wait):
            try:
                arrived = self._part(sha256).stat().st_size
            except OSError:
                arrived = 0
            yield arrived

    def add(self, sha256: str, start: int, data: bytes) -> None:
        """Append a piece that begins at byte ``start``. The caller holds ``growing``. Raises OSError, with what had
        arrived deleted if the disk is full, so that others can use the space."""
        part = self._part(sha256)
        try:
            with part.open("r+b" if part.exists() else "wb") as stream:
                stream.seek(start)
                stream.truncate()
                stream.write(data)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def finish(self, sha256: str, size_bytes: int) -> bool:
        """Whether what has arrived is the file; then it counts. Otherwise it is deleted. The caller holds ``growing``.
        """
        part = self._part(sha256)
        if not part.exists():
            part.touch()
        if part.stat().st_size != size_bytes or sha256_file(part) != sha256:
            part.unlink()
            return False
        fsync(part)
        part.replace(self.path(sha256))
        fsync(self.folder)
        return True

    def _part(self, sha256: str) -> Path:
        return self.folder / f"{self.path(sha256).name}.part"
