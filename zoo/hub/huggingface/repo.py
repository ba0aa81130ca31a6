"""One repository of a hub that speaks the Hub's API."""

from __future__ import annotations

import copy
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from catalog.paths import unsafe_reason
from zoo.errors import AGAIN, Damaged, InputError, RemoteError, ZooError
from zoo.files.digests import git_blob, git_blob_sha1
from zoo.files.filelist import refuse_clashes
from zoo.files.listing import FileRecord
from zoo.hub.huggingface import access, again, incoming, limits
from zoo.hub.huggingface.client import XET, patiently, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.session import READ_SECONDS
from zoo.hub.huggingface.stream import Body
from zoo.hub.huggingface.upload import Outbox, announce
from zoo.hub.interface import (
    ABSENT_COMMIT,
    ABSENT_CONTENT,
    ABSENT_FILE,
    BRANCH,
    CommitNote,
    HubConflict,
    Incoming,
    Listed,
    Refs,
    Served,
)
from zoo.progress import Advance

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.hf_api import RepoFile

NO_COMMIT = "0" * 40
ADDED_BY_HUB = ".gitattributes"

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SHA1 = re.compile(r"[0-9a-f]{40}\Z")


@dataclass(frozen=True)
class _Header:
    """What a commit says, the head that it follows, and the branch."""

    message: str
    parent: str
    branch: str


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
        found = patiently(self._look)
        if found is None:
            return Refs({}, {})
        self._exists = True
        self._tags = dict(found.tags)
        return found

    def _look(self) -> Refs | None:
        with plain(self.door, self.identity):
            from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

            try:
                found = self._api().list_repo_refs(self.identity, repo_type=self.kind)
            except GatedRepoError:
                raise  # for the client, a gated repository is one that was not found
            except RepositoryNotFoundError:
                return None
            tags = {ref.name: ref.target_commit for ref in found.tags}
            return Refs({ref.name: ref.target_commit for ref in found.branches}, tags)

    def tree(self, revision: str) -> dict[str, FileRecord]:
        if not _OID.match(revision):
            raise InputError(f"{revision!r} is not a commit")
        if revision not in self._trees:
            files = patiently(lambda: self._list(revision))
            self._trees[revision] = {file.path: self._record(file, revision) for file in files}
        return dict(self._trees[revision])

    def _list(self, revision: str) -> list[RepoFile]:
        with plain(self.door, self.identity):
            from huggingface_hub.hf_api import RepoFile

            found = self._api().list_repo_tree(
                self.identity, recursive=True, revision=revision, repo_type=self.kind
            )
            files = [entry for entry in found if isinstance(entry, RepoFile)]
            for file in files:
                incoming.check_entry(file, self.door.asking(self.identity, revision))
            return files

    def served(self, revision: str, path: str) -> Served:
        try:
            return self._head(revision, path)
        except RemoteError as error:
            if error.kind == "content_lost":
                return Served(ABSENT_CONTENT)
            raise

    def _head(self, revision: str, path: str) -> Served:
        # One HEAD request.
        with plain(self.door, self.identity):
            from huggingface_hub import get_hf_file_metadata, hf_hub_url
            from huggingface_hub.errors import (
                EntryNotFoundError,
                GatedRepoError,
                RepositoryNotFoundError,
                RevisionNotFoundError,
            )

            api = self.door.api()
            url = hf_hub_url(
                self.identity, path, repo_type=self.kind, revision=revision, endpoint=api.endpoint
            )
            try:
                # The client's own method would leave out the headers, and with them for whom the token is.
                found = get_hf_file_metadata(
                    url, token=api.token, timeout=READ_SECONDS, endpoint=api.endpoint, headers=api.headers
                )
            except GatedRepoError:
                raise
            except EntryNotFoundError:
                return Served(ABSENT_FILE)
            except (RevisionNotFoundError, RepositoryNotFoundError):
                return Served(ABSENT_COMMIT)
        etag = found.etag or ""
        return Served(
            None,
            found.size,
            etag if _SHA256.match(etag) else None,
            etag if _SHA1.match(etag) else None,
        )

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
        del oid, files, title, parents
        return False

    def access(self) -> str:
        return access.look(self.door, self.kind, self.identity)

    def set_access(self, wanted: str) -> None:
        access.change(self.door, self.kind, self.identity, wanted)
        self._exists = True

    def restore_branch(self, name: str, oid: str) -> bool:
        if name in self.refs().branches:
            return False
        self.begin(name, oid)
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
            there = head is not None and head != guard and _ours(self.tree(head)) == _ours(after)
            return head if there else None

        header = _Header(message, guard, branch)
        return patiently(lambda: self._send(operations, gone, header), settled=ours)

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
        with plain(self.door, self.identity):
            found = self._api().list_repo_commits(self.identity, revision=revision, repo_type=self.kind)
        notes = []
        for commit in found[:50]:
            if commit.commit_id == until:
                break
            date = commit.created_at.strftime("%Y-%m-%dT%H:%M:%SZ") if commit.created_at else ""
            notes.append(CommitNote(commit.commit_id, tuple(commit.authors), date, commit.title))
        return notes

    def open(self, revision: str, path: str, offset: int = 0) -> IO[bytes]:
        file = self.tree(revision).get(path)
        if file is None:
            raise InputError(f"commit {revision[:12]} has no file {path}")
        return patiently(lambda: self._open(revision, path, file.size_bytes, offset))

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

    def _open(self, revision: str, path: str, size_bytes: int, offset: int = 0) -> IO[bytes]:
        stack = ExitStack()
        with plain(self.door, self.identity):
            headers = {**self.door.headers(self.kind, self.identity), "Accept-Encoding": "identity"}
            from huggingface_hub import hf_hub_url
            from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, lazy
                get_session,
                hf_raise_for_status,
            )

            url = hf_hub_url(
                self.identity, path, repo_type=self.kind, revision=revision, endpoint=self.door.address
            )
            if offset:
                headers["Range"] = f"bytes={offset}-"
            response = stack.enter_context(
                get_session().stream("GET", url, headers=headers, extensions={limits.FILE: True})
            )
            if response.status_code == 416:
                stack.close()
                return io.BytesIO()
            hf_raise_for_status(response)
            skip = offset if response.status_code == 200 else 0
            body = io.BufferedReader(Body(self.door, stack, response.iter_raw(1 << 20), size_bytes - offset + skip))
        while skip > 0 and (data := body.read(min(skip, 1 << 20))):
            skip -= len(data)
        return cast("IO[bytes]", body)

    def _api(self) -> HfApi:
        return self.door.api(self.kind, self.identity)

    def _record(self, file: RepoFile, revision: str) -> FileRecord:
        if file.lfs:
            return FileRecord(file.path, file.lfs.size, file.lfs.sha256)
        if file.blob_id not in self._blobs:
            git, sha256 = git_blob(file.size), hashlib.sha256()
            with self._open(revision, file.path, file.size) as stream:
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
        if head and _ours(self.tree(head)):
            raise _conflict(head, "no commit")
        return head or NO_COMMIT

    def _before(self, parent: str) -> dict[str, FileRecord]:
        try:
            return self.tree(parent)
        except InputError:
            raise _conflict(self.refs().branches.get(BRANCH, "no commit"), parent) from None

    def _unchanged(self, parent: str, branch: str) -> str:
        """An empty commit, which the client would not make."""
        head = self.refs().branches.get(branch, "no commit")
        if head != parent:
            raise _conflict(head, parent)
        return head

    def _preupload(self, operations: list[CommitOperationAdd]) -> None:
        self._api().preupload_lfs_files(
            self.identity, operations, repo_type=self.kind, revision=BRANCH, free_memory=False
        )

    def _send(self, operations: list[CommitOperationAdd], deletes: list[str], header: _Header) -> str:
        if operations:
            # A small file may still have to use LFS; only the hub knows.
            with plain(self.door, self.identity, writing=True), XET.off():
                self._preupload(operations)
        for operation in operations:
            # Else the client omits files that the branch already has, and an outdated parent is not noticed.
            operation._remote_oid = None
        with plain(self.door, self.identity, writing=True):
            from huggingface_hub import CommitOperationDelete

            gone = [CommitOperationDelete(path, is_folder=False) for path in deletes]
            title, _, description = header.message.partition("\n\n")
            made = self._api().create_commit(
                self.identity, [*operations, *gone],
                commit_message=title, commit_description=description, repo_type=self.kind, revision=header.branch,
                parent_commit=header.parent,
            )  # fmt: skip
            return str(made.oid)


def _conflict(head: str, expected: str) -> HubConflict:
    return HubConflict(
        f"the branch is at {head[:12]}, not at {expected[:12]} as expected",
        safe="Nothing was committed.",
        remedy="Someone else published here just now",
                again=AGAIN,
    )


def _ours(files: dict[str, FileRecord]) -> dict[str, FileRecord]:
    return {path: file for path, file in files.items() if path != ADDED_BY_HUB}
