"""Quantized tensors with a key of their inputs, so that no file or recipe makes the same one twice."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path
from typing import IO

_COPY_BYTES = 1 << 22
_DIGEST_BYTES = 32
_LEFT_BEHIND_SECONDS = 24 * 3600


class TensorCache:
    """A folder of blobs: ``KEY`` holds a tensor's bytes and after them their SHA-256.

    An incomplete or changed blob is never used: reading detects it, and it is made again.
    Several processes may share the folder; at worst they make the same blob twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: str, size_bytes: int) -> bool:
        """Whether a blob of that size is there; ``copy`` detects whether it is valid."""
        try:
            return self._path(key).stat().st_size == size_bytes + _DIGEST_BYTES
        except OSError:
            return False

    def new(self) -> IO[bytes]:
        """A new blob to write, under another name; pass it to ``keep`` or ``drop``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        return tempfile.NamedTemporaryFile(prefix=".new-", dir=self.folder, delete=False)

    def keep(self, key: str, stream: IO[bytes]) -> None:
        """Add the digest to a complete blob, move it into place and close it."""
        stream.flush()
        stream.seek(0)
        digest = hashlib.sha256()
        while piece := stream.read(_COPY_BYTES):
            digest.update(piece)
        stream.write(digest.digest())
        stream.close()
        target = self._path(key)
        target.parent.mkdir(exist_ok=True)
        Path(stream.name).replace(target)

    def drop(self, stream: IO[bytes]) -> None:
        """Discard a blob; does nothing to a kept one."""
        stream.close()
        Path(stream.name).unlink(missing_ok=True)

    def copy(self, key: str, size_bytes: int, out: IO[bytes]) -> bool:
        """Append a blob to ``out``. Returns False and deletes the blob if it has changed since it was written."""
        path, start = self._path(key), out.tell()
        digest, left = hashlib.sha256(), size_bytes
        try:
            with path.open("rb") as stream:
                while left and (piece := stream.read(min(left, _COPY_BYTES))):
                    digest.update(piece)
                    out.write(piece)
                    left -= len(piece)
                if not left and stream.read() == digest.digest():
                    return True
        except FileNotFoundError:
            pass
        path.unlink(missing_ok=True)
        out.seek(start)
        out.truncate()
        return False

    def _sweep(self) -> None:
        """Remove incomplete blobs of killed processes."""
        for left in self.folder.glob(".new-*"):
            try:
                if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                    left.unlink()
            except FileNotFoundError:
                continue

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key
