"""The server's storage: repositories, revisions and contents of a folder hub."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from catalog.access import PUBLIC
from zoo.errors import InputError
from zoo.files.digests import sha256_file
from zoo.files.listing import FileRecord
from zoo.files.locks import locked
from zoo.files.whole import fsync
from zoo.hub.folder import FolderHub, FolderRepo
from zoo.hub.interface import BRANCH, CONTENT_LOST
from zoo.hub.server.wire import ApiError, Slice
from zoo.machine.resources import free_bytes

SHORT = 40
NO_COMMIT = "0" * SHORT
"""As a parent: there is no commit yet. Git writes the same."""

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")

_LEFTOVER_SECONDS = 2 * 24 * 3600
_SPARE_BYTES = 16 << 20
_CHUNK = 1 << 20
_SYNC_BYTES = 64 << 20


class Store:
    """A folder hub as the server uses it. closed: only people with a token get this far, so that private repositories
    are served; else there are none."""

    def __init__(self, hub: FolderHub, *, closed: bool = False) -> None:
        self.hub, self.closed = hub, closed
        self.objects = hub.folder / "objects"
        self.incoming = hub.folder / "incoming"
        self._sweep()

    def repo(self, kind: str, namespace: str, name: str) -> FolderRepo:
        """An existing repository. Raises ApiError 404."""
        try:
            repo = self.hub.repo(kind, namespace, name)
        except InputError as error:
            raise ApiError(404, error.what, "RepoNotFound") from error
        if not repo.folder.is_dir() or (repo.access() != PUBLIC and not self.closed):
            raise ApiError(404, f"{kind} repository {namespace}/{name} was not found", "RepoNotFound")
        return repo

    def create(self, kind: str, namespace: str, name: str, access: str = PUBLIC) -> bool:
        """Make a repository; False if it exists. Raises ApiError 400 for a name that the Hub would refuse."""
        if any("--" in p or ".." in p or p.endswith((".git", ".ipynb", "-", ".")) for p in (namespace, name)):
            raise ApiError(400, "a name must not contain -- or .., or end in - . .git .ipynb")
        try:
            repo = self.hub.repo(kind, namespace, name)
            folder = repo.folder
        except InputError as error:
            raise ApiError(400, error.what) from error
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            return False
        if access != PUBLIC:
            repo.set_access(access)
        fsync(folder.parent)
        return True

    def content(self, sha256: str) -> Path:
        """Where a content is or will be."""
        if not _SHA256.match(sha256):
            raise ApiError(400, "this is not a sha256")
        return self.objects / sha256[:2] / sha256

    def size_of(self, sha256: str) -> int | None:
        """Size of a content in bytes, None if it is missing."""
        try:
            return self.content(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def is_sound(self, sha256: str) -> bool:
        """Whether the stored content has its digest. Reads it."""
        try:
            return sha256_file(self.content(sha256)) == sha256
        except OSError:
            return False

    def whole(self, file: FileRecord) -> Slice:
        """The content of a committed file. Raises ApiError 410 if it is lost, completely or in part."""
        size = self.size_of(file.sha256)
        if size is None:
            # Not a 5xx, which clients would repeat: only repairing the hub brings it back.
            raise ApiError(410, f"this hub has lost the content of {file.path}", CONTENT_LOST)
        if size != file.size_bytes:
            raise ApiError(410, f"this hub has {size} of {file.size_bytes} bytes of {file.path}", CONTENT_LOST)
        return Slice(self.content(file.sha256), 0, file.size_bytes)

    def receive(self, read: Callable[[int], bytes], size: int, sha256: str) -> None:
        """Receive and hash ``size`` bytes; they are stored only if they match what was announced."""
        self.content(sha256)
        self.refuse_full(size)
        self.incoming.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="put-", dir=self.incoming)
        try:
            self._write(handle, read, size, sha256)
            self.settle(Path(name), sha256)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ApiError(507, "the hub's disk is full") from error
            raise
        finally:
            Path(name).unlink(missing_ok=True)

    def refuse_full(self, size: int) -> None:
        """Raises ApiError 507 if the disk does not have enough space for ``size`` bytes."""
        if free_bytes(self.hub.folder) < size + _SPARE_BYTES:
            raise ApiError(507, "the hub's disk does not have enough space for this file")

    def settle(self, path: Path, sha256: str) -> None:
        """Move a complete content, whose digest was checked, to its place."""
        target = self.content(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o444)
        with locked(target.parent):
            path.replace(target)
        fsync(target.parent)

    def _write(self, handle: int, read: Callable[[int], bytes], size: int, sha256: str) -> None:
        left, sha = size, hashlib.sha256()
        with os.fdopen(handle, "wb") as out:
            while left:
                data = read(min(left, _CHUNK))
                if not data:
                    raise ApiError(400, f"the upload ended after {size - left} of {size} bytes")
                sha.update(data)
                out.write(data)
                left -= len(data)
                if (size - left) % _SYNC_BYTES < len(data):
                    # Now and then, so that the end does not take long.
                    out.flush()
                    os.fdatasync(out.fileno())
            if sha.hexdigest() != sha256:
                raise ApiError(400, f"the upload has sha256 {sha.hexdigest()}, not {sha256} as announced")
            out.flush()
            os.fsync(out.fileno())

    def _sweep(self) -> None:
        """Remove what killed uploads left, unless another server may still use it."""
        for path in [*self.incoming.glob("put-*"), *self.incoming.glob("parts-*")]:
            if path.stat().st_mtime < time.time() - _LEFTOVER_SECONDS:
                path.unlink(missing_ok=True)
        for path in self.incoming.glob("gone-*"):
            shutil.rmtree(path, ignore_errors=True)


def shown(oid: str) -> str:
    """A commit as the client sees it."""
    return oid[:SHORT]


def commit_of(repo: FolderRepo, revision: str) -> str:
    """The commit of a branch, a tag, ``refs/heads/BRANCH``, ``refs/tags/TAG``, or a commit's own first digits.

    Raises ApiError 404.
    """
    refs = repo.refs()
    for prefix, names in (("refs/heads/", refs.branches), ("refs/tags/", refs.tags)):
        for name in (revision, revision.removeprefix(prefix)):
            if name in names:
                return names[name]
    oid = repo.whole(revision)
    if _SHA256.match(oid) and (repo.folder / "commits" / f"{oid}.json").exists():
        return oid
    raise ApiError(404, f"revision {revision[:100]} was not found", "RevisionNotFound")


def branch_of(repo: FolderRepo, revision: str) -> str | None:
    """The branch that ``revision`` names, also as ``refs/heads/BRANCH``; None if there is no such branch."""
    name, refs = revision.removeprefix("refs/heads/"), repo.refs()
    # The first commit of a repository makes its branch.
    return name if name == BRANCH or name in refs.branches or not (refs.branches or refs.tags) else None


def head_of(repo: FolderRepo) -> str | None:
    """The commit of the branch, None before the first one."""
    return repo.refs().branches.get(BRANCH)
