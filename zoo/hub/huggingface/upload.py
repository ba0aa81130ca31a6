"""Contents to upload: small ones in memory, large ones read once with progress byte by byte."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import Damaged, RemoteError
from zoo.hub.huggingface.client import XET, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.faults import MAYBE_DONE
from zoo.progress import Advance

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from huggingface_hub import CommitOperationAdd

INLINE_BYTES = 1 << 20
"""Contents up to this size are kept in memory and travel inside the commit if the hub asks for that."""


def announce(path: Path, sha256: str) -> CommitOperationAdd:
    """What the client must add, without its path in the repository.

    A small file is read now, so that the commit has the bytes that were checked; a large one is not read. Raises
    Damaged if a small file does not have ``sha256``.
    """
    from huggingface_hub import CommitOperationAdd

    if path.stat().st_size > INLINE_BYTES:
        operation = CommitOperationAdd("content", str(path))
        operation.upload_info.sha256 = bytes.fromhex(sha256)
        return operation
    raw = path.read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise Damaged(
            f"{path.name} has sha256 {found}, not {sha256} as its manifest says", remedy="zoo build"
        )
    return CommitOperationAdd("content", raw)


def send(
    operation: CommitOperationAdd, door: Door, repository: str, upload: Callable[[], None], advance: Advance
) -> None:
    """Call ``upload``, which sends the large file of ``operation``, and report its bytes as they are sent.

    Only https hubs have xet storage. If that fails, the file uses LFS, as it always does for other hubs.
    """
    path = Path(str(operation.path_or_fileobj))
    if door.address.startswith("https://") and _xet_is_there():
        try:
            with plain(door, repository, writing=True):
                upload()
            advance(path.stat().st_size)
            return
        except RemoteError as error:
            if error.kind not in MAYBE_DONE:
                raise
    with plain(door, repository, writing=True), XET.off(), Told(path, advance) as stream:
        try:
            # The client reads a stream directly and does not use xet for it.
            operation.path_or_fileobj = stream
            upload()
        finally:
            operation.path_or_fileobj = str(path)
        stream.settle()


def _xet_is_there() -> bool:
    from huggingface_hub import constants

    return importlib.util.find_spec("hf_xet") is not None and not constants.HF_HUB_DISABLE_XET


class Told(io.BufferedReader):
    """A file that reports its progress; a part that is read again is subtracted first."""

    def __init__(self, path: Path, advance: Advance) -> None:
        super().__init__(io.FileIO(str(path)))
        self._advance, self._at = advance, 0
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        begin = self.tell()
        data = super().read(size)
        self._tell_to(begin + len(data))
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        begin = self.tell()
        count = super().readinto(buffer)
        self._tell_to(begin + count)
        return count

    def settle(self) -> None:
        """All of it is uploaded, or the hub already had it."""
        self._tell_to(self._size)

    def _tell_to(self, position: int) -> None:
        self._advance(position - self._at)
        self._at = position
