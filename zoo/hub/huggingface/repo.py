"""One repository of a hub that speaks the Hub's API."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from catalog.paths import unsafe_reason
from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files.digests import git_blob, git_blob_sha1
from zoo.files.filelist import refuse_clashes
from zoo.files.listing import FileRecord
from zoo.hub.huggingface import access, again, committing, incoming, reading
from zoo.hub.huggingface.client import patiently, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.upload import Outbox, announce
from zoo.hub.interface import (
    ABSENT_CONTENT,
    BRANCH,
    CommitNote,
    HubConflict,
    Incoming,
    Listed,
    Refs,
    Served,
    moved,
)
from zoo.progress import Advance

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

NO_COMMIT = "0" * 40

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass
class HuggingFaceRepo:
    """One repository of a HuggingFaceHub. It caches trees, which never change, and uploaded contents."""

    door: Door
    kind: str
    identity: str
    _exists: bool = False
    _tags: dict[str, str] = field(default_factory=dict, repr=False)
    _trees: dict[str, dict[str, FileRecord]] = field(default_factory=dict, repr=False)
    _put: dict[str, CommitOperationAdd] = field(default_factory=dict, repr=False)
    _blobs: dict[str, str] = field(default_factory=dict, repr=False)
    _outbox: Outbox = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._outbox = Outbox(self.door, self.kind, self.identity)

    def refs(self) -> Refs:
        found = patiently(lambda: reading.refs(self.door, self.kind, self.identity))
        if found is None:
            return Refs({}, {})
        self._exists = True
        self._tags = dict(found.tags)
        return found

    def tree(self, revision: str) -> dict[str, FileRecord]:
        if not _OID.match(revision):
            raise InputError(f"{revision!r} is not a commit")
        if revision not in self._trees:
            files = patiently(lambda: reading.files(self.door, self.kind, self.identity, revision))
            self._trees[revision] = {file.path: self._record(file, revision) for file in files}
        return dict(self._trees[revision])

    def served(self, revision: str, path: str) -> Served:
        try:
            return reading.head(self.door, self.kind, self.identity, revision, path)
        except RemoteError as error:
            if error.kind == "content_lost":
                return Served(ABSENT_CONTENT)
            raise

    def recognise(self, digests: Mapping[str, str]) -> None:
        self._blobs.update(digests)

    def expect(self, folder: Path, files: Iterable[FileRecord]) -> None:
        self.door.api()
        self._outbox.expect(folder, files)

    def put(self, path: Path, sha256: str, advance: Advance) -> bool:
        """Always True: the client does not report whether the hub already had the content."""
        if not _SHA256.match(sha256):
            raise Damaged(f"{sha256!r} is not a sha256")
        self.door.api()
        operation = self._outbox.first(sha256)
        if operation is None:
            operation = announce(path, sha256)
            operation.path_in_repo = path.name
        if isinstance(operation.path_or_fileobj, bytes):
            self._blobs[git_blob_sha1(operation.path_or_fileobj)] = sha256
            advance(len(operation.path_or_fileobj))
        else:
            self._ensure()
            self._outbox.send(operation, advance)
        self._put[sha256] = operation
        return True

    def lost(self, files: Iterable[FileRecord]) -> list[FileRecord]:
        return patiently(lambda: again.lost(self.door, self.kind, self.identity, files))

    def restore(self, path: Path, sha256: str, advance: Advance) -> None:
        patiently(lambda: again.restore(self.door, self.kind, self.identity, path, sha256, advance))

    def restore_commit(self, oid: str, files: Iterable[FileRecord], title: str, parents: Iterable[str] = ()) -> bool:
        told = {"files": [vars(file) for file in files], "title": title, "parents": list(parents)}
        if not patiently(lambda: again.restore_commit(self.door, self.kind, self.identity, oid, told)):
            return False
        self._trees.clear()
        return True

    def access(self) -> str:
        return access.look(self.door, self.kind, self.identity)

    def set_access(self, wanted: str) -> None:
        access.change(self.door, self.kind, self.identity, wanted)
        self._exists = True

    def restore_branch(self, name: str, oid: str) -> bool:
        head = self.refs().branches.get(name)
        if head and self._is_there(head):
            return False
        self.begin(name, oid)
        return not head or self.refs().branches.get(name) != head

    def _is_there(self, oid: str) -> bool:
        try:
            self.tree(oid)
        except (InputError, Damaged):
            return False
        return True

    def commit(
        self,
        parent: str | None,
        adds: Iterable[FileRecord],
        deletes: Iterable[str],
        message: str,
        branch: str = BRANCH,
    ) -> str:
        adds = list(adds)
        before = self._before(parent) if parent else {}
        gone = [path for path in deletes if path in before]
        after = {path: file for path, file in before.items() if path not in gone}
        after |= {file.path: file for file in adds}
        refuse_clashes(after)
        operations = [self._operation(file) for file in adds]
        if parent and not operations and not gone:
            return self._unchanged(parent, branch)
        self._ensure()
        guard = parent or self._first_parent()
        if parent is None and branch != BRANCH and guard != NO_COMMIT:
            self.begin(branch, guard)  # the Hub's own first commit

        def ours() -> str | None:
            """The head, if it has the planned content: then the answer was lost after the commit was made."""
            head = self.refs().branches.get(branch)
            if head is None or head == guard:
                return None
            return head if committing.ours(self.tree(head)) == committing.ours(after) else None

        header = committing.Header(message, guard, branch)

        def send() -> str:
            return committing.send(self.door, self.kind, self.identity, operations, gone, header)

        return patiently(send, settled=ours)

    def begin(self, branch: str, oid: str) -> None:
        def create() -> bool:
            with plain(self.door, self.identity, writing=True):
                self._api().create_branch(
                    self.identity, branch=branch, revision=oid, repo_type=self.kind, exist_ok=True
                )
            return True

        patiently(create, settled=lambda: branch in self.refs().branches or None)

    def end(self, branch: str) -> None:
        def delete() -> bool:
            with plain(self.door, self.identity, writing=True):
                self._api().delete_branch(self.identity, branch=branch, repo_type=self.kind)
            return True

        if branch == BRANCH:
            raise InputError(f"the branch {BRANCH} is never deleted")
        if branch not in self.refs().branches:
            return
        patiently(delete, settled=lambda: branch not in self.refs().branches or None)

    def tag(self, name: str, oid: str, message: str = "") -> None:
        if self._tags.get(name) == oid:
            return  # known from the last read of the refs, and tags do not move

        def create() -> str | None:
            with plain(self.door, self.identity, writing=True):
                self._api().create_tag(
                    self.identity, tag=name, tag_message=message or None, revision=oid, repo_type=self.kind,
                    exist_ok=True,
                )  # fmt: skip
            # The client reports no error if the tag exists, on any commit.
            return self.refs().tags.get(name)

        there = patiently(create, settled=lambda: self.refs().tags.get(name))
        if there is None:
            raise Damaged(f"the hub accepted tag {name} but does not list it")
        if not oid.startswith(there):
            raise HubConflict(
                f"tag {name} is already on commit {there[:12]}, not on {oid[:12]}",
                safe="The tag was not moved.",
                remedy="Raise the version in the recipe",
            )

    def history(self, revision: str, until: str | None) -> list[CommitNote]:
        return reading.history(self.door, self.kind, self.identity, revision, until)

    def open(self, revision: str, path: str, offset: int = 0) -> IO[bytes]:
        file = self.tree(revision).get(path)
        if file is None:
            raise InputError(f"commit {revision[:12]} has no file {path}")
        listed = Listed(path, file.size_bytes, file.sha256)
        return patiently(lambda: reading.stream(self.door, self.kind, self.identity, revision, listed, offset))

    def listing(self, revision: str) -> dict[str, Listed]:
        return incoming.listing(self.door, self.kind, self.identity, revision)

    def commit_of(self, revision: str | None) -> str:
        """The commit that a branch or a tag is on now; None means the main branch. Raises RemoteError."""
        return incoming.commit_of(self.door, self.kind, self.identity, revision)

    def incoming(self, revision: str, file: Listed, begin: int, end: int, stall_seconds: float) -> Incoming:
        span = incoming.Span(file, begin, end)
        return incoming.open_incoming(self.door, self.kind, self.identity, revision, span, stall_seconds)

    def other_way(self, revision: str, file: Listed, folder: Path) -> Path:
        return incoming.by_client(self.door, self.kind, self.identity, revision, file, folder)

    def _api(self) -> HfApi:
        return self.door.api(self.kind, self.identity)

    def _record(self, file: RepoFile, revision: str) -> FileRecord:
        if file.lfs:
            return FileRecord(file.path, file.lfs.size, file.lfs.sha256)
        if file.blob_id not in self._blobs:
            git, sha256 = git_blob(file.size), hashlib.sha256()
            listed = Listed(file.path, file.size, None, file.blob_id)
            with reading.stream(self.door, self.kind, self.identity, revision, listed) as stream:
                while block := stream.read(1 << 20):
                    git.update(block)
                    sha256.update(block)
            if git.hexdigest() != file.blob_id:
                raise Damaged(f"{file.path} as served by the hub differs from its file list")
            self._blobs[file.blob_id] = sha256.hexdigest()
        return FileRecord(file.path, file.size, self._blobs[file.blob_id])

    def _operation(self, file: FileRecord) -> CommitOperationAdd:
        if reason := unsafe_reason(file.path):
            raise InputError(f"path {file.path!r} {reason}")
        if file.sha256 not in self._put:
            raise ZooError(f"the content of {file.path} was not uploaded")
        sent = self._put[file.sha256]
        operation = copy.copy(self._outbox.planned(file.path, file.sha256) or sent)
        operation.path_in_repo = file.path
        # The same content at another path is sent once.
        operation._is_uploaded |= sent._is_uploaded and operation._upload_mode == "lfs"
        return operation

    def _ensure(self) -> None:
        """Make sure that the repository exists."""
        if not self._exists:
            patiently(self._create)
            self._exists = True

    def _create(self) -> None:
        with plain(self.door, self.identity, writing=True):
            self._api().create_repo(self.identity, repo_type=self.kind, exist_ok=True)

    def _first_parent(self) -> str:
        """The parent of a first commit: none, or the commit that the Hub itself made."""
        head = self.refs().branches.get(BRANCH)
        if head and committing.ours(self.tree(head)):
            raise moved(head, None)
        return head or NO_COMMIT

    def _before(self, parent: str) -> dict[str, FileRecord]:
        try:
            return self.tree(parent)
        except InputError:
            raise moved(self.refs().branches.get(BRANCH), parent) from None

    def _unchanged(self, parent: str, branch: str) -> str:
        """An empty commit, which the client would not make."""
        head = self.refs().branches.get(branch)
        if head != parent:
            raise moved(head, parent)
        return parent
