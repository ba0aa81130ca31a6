"""Contents on their way to a hub: small ones in memory, large ones read once and told byte by byte."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import Damaged, RemoteError
from zoo.hub.huggingface.client import plain, without_xet
from zoo.hub.huggingface.faults import MAYBE_DONE
from zoo.progress import Advance

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

INLINE_BYTES = 1 << 20
"""Contents up to this size are kept in memory and travel inside the commit where the hub wants it so."""


def announce(path: Path, sha256: str) -> CommitOperationAdd:
    """What the client is to add, still without its place in the repository.

    A small file is read now, so that the commit has the bytes that were checked; a large one is not read. Raises
    Damaged when a small file is not ``sha256``.
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
    operation: CommitOperationAdd, address: str, repository: str, upload: Callable[[], None], advance: Advance
) -> None:
    """Call ``upload``, which sends the large file of ``operation``, and tell its bytes as they leave.

    Only https hubs have xet storage. Where that fails the file goes by LFS, as it always does to the others.
    """
    path = Path(str(operation.path_or_fileobj))
    if address.startswith("https://") and _xet_is_there():
        try:
            with plain(address, repository, writing=True):
                upload()
            advance(path.stat().st_size)
            return
        except RemoteError as error:
            if error.kind not in MAYBE_DONE:
                raise
    with plain(address, repository, writing=True), without_xet(), Told(path, advance) as stream:
        try:
            # The client reads a stream as it is and takes no xet for it.
            operation.path_or_fileobj = stream
            upload()
        finally:
            operation.path_or_fileobj = str(path)
        stream.settle()


def _xet_is_there() -> bool:
    from huggingface_hub import constants
    from huggingface_hub.utils._runtime import is_xet_available

    return bool(is_xet_available()) and not constants.HF_HUB_DISABLE_XET


class Told(io.BufferedReader):
    """A file that tells what is read of it; a part that is read again is first taken back."""

    def __init__(self, path: Path, advance: Advance) -> None:
        super().__init__(io.FileIO(str(path)))
        self._advance, self._at = advance, 0
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        begin = self.tell()
        data = super().read(size)
        self._tell_to(begin + len(data))
        return data

    def readinto(self, buffer: Any, /) -> int:
        begin = self.tell()
        count = super().readinto(buffer)
        self._tell_to(begin + count)
        return count

    def settle(self) -> None:
        """All of it is there; the hub may have had it before."""
        self._tell_to(self._size)

    def _tell_to(self, position: int) -> None:
        self._advance(position - self._at)
        self._at = position
