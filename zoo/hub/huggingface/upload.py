"""Contents to upload: small ones in memory, large ones read once with progress byte by byte."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import DamagedRelease, RemoteError
from zoo.files.listing import FileRecord
from zoo.hub.huggingface import faults, lfs
from zoo.hub.huggingface.answers import STORAGE
from zoo.hub.huggingface.asked import not_a_hub
from zoo.hub.huggingface.client import XET, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.faults import MAYBE_DONE
from zoo.hub.interface import BRANCH
from zoo.progress import Advance, murmur

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from huggingface_hub import CommitOperationAdd

NEW_ADDRESSES = 2
"""How often a new upload address is requested if the storage refuses one, which may have expired."""

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
        raise DamagedRelease(f"{path.name} has sha256 {found}, not {sha256} as its manifest says")
    return CommitOperationAdd("content", raw)


@dataclass
class Outbox:
    """Files on their way to one repository. How each must be sent, and where, is asked once for all of them."""

    door: Door
    kind: str
    identity: str
    _planned: dict[str, CommitOperationAdd] = field(default_factory=dict, repr=False)
    _where: dict[str, lfs.Action] = field(default_factory=dict, repr=False)

    def expect(self, folder: Path, files: Iterable[FileRecord]) -> None:
        """``send`` will be called for these files. Nothing is requested yet. Raises Damaged; see ``announce``."""
        self._where.clear()
        self._planned = {file.path: self._announced(folder / file.path, file) for file in files}

    def _announced(self, path: Path, file: FileRecord) -> CommitOperationAdd:
        operation = announce(path, file.sha256)
        operation.path_in_repo = file.path
        return operation

    def first(self, sha256: str) -> CommitOperationAdd | None:
        """What was expected with this content, at any path."""
        wanted = bytes.fromhex(sha256)
        return next((one for one in self._planned.values() if one.upload_info.sha256 == wanted), None)

    def planned(self, path: str, sha256: str) -> CommitOperationAdd | None:
        """What was expected at a path of the repository."""
        found = self._planned.get(path)
        return found if found and found.upload_info.sha256.hex() == sha256 else None

    def send(self, operation: CommitOperationAdd, advance: Advance) -> None:
        """Send the large file of ``operation``; its bytes are reported as they are sent. Raises RemoteError.

        Only https hubs have xet storage. If that fails, LFS is used for the rest of the run, as always for other hubs.
        """
        self._ask_how(operation)
        size = Path(str(operation.path_or_fileobj)).stat().st_size
        if operation._upload_mode != "lfs" or operation._is_uploaded:
            advance(size)  # the hub wants it inside the commit, or the same content was sent for another file
            return
        if self.door.has_xet() and _xet_is_there():
            try:
                with plain(self.door, self.identity, writing=True):
                    self.door.api(self.kind, self.identity).preupload_lfs_files(
                        self.identity, [operation], repo_type=self.kind, revision=BRANCH, free_memory=False
                    )
                advance(size)
                return
            except RemoteError as error:
                if error.kind not in MAYBE_DONE:
                    raise
                self.door.leave_xet(error.what)
        self._by_lfs(operation, advance)

    def _ask_how(self, operation: CommitOperationAdd) -> None:
        """For all files that are expected, small ones too: large files travel before the commit, others inside it."""
        if operation._upload_mode is not None:
            return
        with plain(self.door, self.identity, writing=True):
            from huggingface_hub._commit_api import _fetch_upload_modes

            every = {id(one): one for one in (*self._planned.values(), operation)}
            _fetch_upload_modes(
                [one for one in every.values() if one._upload_mode is None], self.kind, self.identity,
                self.door.headers(self.kind, self.identity), BRANCH, endpoint=self.door.address,
            )  # fmt: skip

    def _by_lfs(self, operation: CommitOperationAdd, advance: Advance) -> None:
        path = Path(str(operation.path_or_fileobj))
        for more in (*[True] * NEW_ADDRESSES, False):
            with plain(self.door, self.identity, writing=True), XET.off(), Told(path, advance) as stream:
                try:
                    where = self._address(operation)
                    # The client reads a stream directly and does not use xet for it.
                    operation.path_or_fileobj = stream
                    lfs.upload(self.door, self.kind, self.identity, operation, where)
                    stream.settle()
                    operation._is_uploaded = True
                    return
                except Exception as error:
                    told = faults.of(error, self.door.asking(self.identity, path=path.name, writing=True), time.time())
                    if not isinstance(told, RemoteError) or told.kind not in STORAGE:
                        raise
                    if not more:
                        raise told from error
                    stream.begin_again()
                    murmur(f"{told.what}; asking for a new address")
                    self._where.clear()
                finally:
                    operation.path_or_fileobj = str(path)

    def _address(self, operation: CommitOperationAdd) -> lfs.Action:
        """Where to send a content, asked for all that are not sent yet."""
        sha256 = operation.upload_info.sha256.hex()
        if sha256 not in self._where:
            every = {one.upload_info.sha256: one for one in (*self._planned.values(), operation)}.values()
            infos = [one.upload_info for one in every if one._upload_mode == "lfs" and not one._is_uploaded]
            self._where = lfs.ask(self.door, self.kind, self.identity, infos)
        if sha256 not in self._where:
            raise not_a_hub(self.door.asking(self.identity, writing=True))
        return self._where[sha256]


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

    def begin_again(self) -> None:
        """Nothing of it counts as uploaded."""
        self._tell_to(0)

    def _tell_to(self, position: int) -> None:
        self._advance(position - self._at)
        self._at = position
