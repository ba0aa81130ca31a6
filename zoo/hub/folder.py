"""The embedded hub: a folder with objects by digest, commits as JSON, and refs moved by fsync and rename under a lock.

``folderobjects`` has the contents, ``folderrefs`` the branches and tags, ``folderrepair`` brings back what was lost.

HUB/objects/ab/abcdef...                          file contents by sha256
HUB/repos/model/NAMESPACE/NAME/commits/OID.json   {parent, message, files: {path: [sha256, size_bytes]}}
HUB/repos/model/NAMESPACE/NAME/refs/heads/main    an OID
HUB/repos/model/NAMESPACE/NAME/refs/tags/VERSION  an OID; a slash in a name is %2F in the name of its file
HUB/repos/model/NAMESPACE/NAME/refs.log           every move of a ref, appended
HUB/repos/model/NAMESPACE/NAME/access             who may read it; everybody without this file
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypedDict

from catalog import jsontext
from catalog.access import PRIVATE, PUBLIC, STRICT
from catalog.paths import unsafe_reason
from catalog.shapes import shaped
from zoo.errors import Damaged, InputError, ZooError
from zoo.files import filelist
from zoo.files.digests import canonical_json, digest
from zoo.files.listing import FileRecord
from zoo.files.locks import locked
from zoo.files.whole import sweep, write_atomic
from zoo.hub import folderobjects, folderrefs, folderrepair
from zoo.hub.interface import (
    ABSENT_COMMIT,
    ABSENT_CONTENT,
    ABSENT_FILE,
    BRANCH,
    CommitNote,
    DamagedCommit,
    HubConflict,
    Incoming,
    Listed,
    NoCommit,
    Refs,
    Served,
    moved,
)
from zoo.progress import Advance

REPAIR = "Send it again from the machine that published it: zoo publish NAME --repair"
_DIGITS = re.compile(r"[0-9a-f]{7,63}\Z")
"""The first digits of a commit: 7 are enough where they are the only ones, as for git."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")
_ACCESS = "access"


@dataclass(frozen=True)
class FolderHub:
    """A hub that is a folder."""

    folder: Path

    @property
    def name(self) -> str:
        return "folder"

    def repo(self, kind: str, namespace: str, name: str) -> FolderRepo:
        for part in (namespace, name):
            if not _NAME.match(part):
                raise InputError(f"{part!r} is not a valid name for a repository", remedy="Use letters, digits, - _ .")
        return FolderRepo(self.folder / "objects", self.folder / "repos" / kind / namespace / name)

    def collections(self, namespace: str) -> None:
        """A folder has no page that would show one."""


class Body(TypedDict):
    """A commit. files: path -> sha256 and size in bytes."""

    parent: str | None
    message: str
    files: dict[str, tuple[str, int]]


@dataclass(frozen=True)
class FolderRepo:
    """One repository of a FolderHub."""

    objects: Path
    folder: Path

    def refs(self) -> Refs:
        return Refs(folderrefs.read(self.folder, "heads"), folderrefs.read(self.folder, "tags"))

    def tree(self, revision: str) -> dict[str, FileRecord]:
        return {file.path: file for file in _records(self.body(revision))}

    def served(self, revision: str, path: str) -> Served:
        try:
            file = self.tree(revision).get(path)
        except (InputError, DamagedCommit):
            return Served(ABSENT_COMMIT)
        if file is None:
            return Served(ABSENT_FILE)
        size = folderobjects.size_of(self.objects, file.sha256)
        return Served(ABSENT_CONTENT) if size is None else Served(None, size, file.sha256)

    def recognise(self, digests: Mapping[str, str]) -> None:
        """Nothing to do: this hub stores the sha256 of every file."""

    def lost(self, files: Iterable[FileRecord]) -> list[FileRecord]:
        return [file for file in files if folderobjects.size_of(self.objects, file.sha256) != file.size_bytes]

    def restore(self, path: Path, sha256: str, advance: Advance) -> None:
        self.put(path, sha256, advance)

    def restore_commit(self, oid: str, files: Iterable[FileRecord], title: str, parents: Iterable[str] = ()) -> bool:
        with locked(self.folder / "lock"):
            body = folderrepair.body_of(self.folder, oid, files, title, parents)
            if body is not None:
                write_atomic(self.folder / "commits" / f"{digest(body)}.json", canonical_json(body))
            return body is not None

    def restore_branch(self, name: str, oid: str) -> bool:
        with locked(self.folder / "lock"):
            if self._is_readable(folderrefs.read(self.folder, "heads").get(name, "")):
                return False
            last = folderrepair.last_place(self.folder, name, self._is_readable)
            if last or self._is_readable(oid):
                folderrefs.move(self.folder, "heads", name, last or self.whole(oid))
            elif name in folderrefs.read(self.folder, "heads"):
                folderrefs.remove(self.folder, "heads", name)  # the next commit is the first one again
            return True

    def has(self, oid: str) -> bool:
        """Whether a commit is there, undamaged or not."""
        oid = self.whole(oid)
        return bool(folderobjects.SHA256.match(oid)) and (self.folder / "commits" / f"{oid}.json").is_file()

    def _is_readable(self, oid: str) -> bool:
        try:
            self.body(oid)
        except (InputError, Damaged):
            return False
        return True

    def access(self) -> str:
        if not self.folder.is_dir():
            return ""
        try:
            text = (self.folder / _ACCESS).read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return PUBLIC
        return text if text in STRICT else PRIVATE

    def set_access(self, access: str) -> None:
        """Anyone who may read the disk may read a folder; ``zoo hub serve`` obeys the note."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "lock"):
            write_atomic(self.folder / _ACCESS, access + "\n")

    def expect(self, folder: Path, files: Iterable[FileRecord]) -> None:
        """Nothing to do: every file is copied by itself."""

    def put(self, path: Path, sha256: str, advance: Advance) -> bool:
        return folderobjects.put(self.objects, path, sha256, advance)

    def commit(
        self,
        parent: str | None,
        adds: Iterable[FileRecord],
        deletes: Iterable[str],
        message: str,
        branch: str = BRANCH,
    ) -> str:
        with locked(self.folder / "lock"):
            head = folderrefs.read(self.folder, "heads").get(branch)
            if head != parent:
                raise moved(head, parent)
            files = dict(self.body(parent)["files"]) if parent else {}
            for path in deletes:
                files.pop(path, None)
            for file in adds:
                if reason := unsafe_reason(file.path):
                    raise InputError(f"path {file.path!r} {reason}")
                if not folderobjects.place(self.objects, file.sha256).exists():
                    raise ZooError(f"the content of {file.path} was not uploaded")
                files[file.path] = (file.sha256, file.size_bytes)
            filelist.refuse_clashes(files)
            sweep(self.folder / "commits")
            body: Body = {"parent": parent, "message": message, "files": files}
            oid = digest(body)
            write_atomic(self.folder / "commits" / f"{oid}.json", canonical_json(body))
            folderrefs.move(self.folder, "heads", branch, oid)
            return oid

    def begin(self, branch: str, oid: str) -> None:
        self.body(oid)
        with locked(self.folder / "lock"):
            if branch not in folderrefs.read(self.folder, "heads"):
                folderrefs.move(self.folder, "heads", branch, self.whole(oid))

    def end(self, branch: str) -> None:
        _refuse_main(branch)
        with locked(self.folder / "lock"):
            if branch in folderrefs.read(self.folder, "heads"):
                folderrefs.remove(self.folder, "heads", branch)

    def untag(self, name: str) -> None:
        """Delete a tag; the commit stays. A missing one is accepted."""
        with locked(self.folder / "lock"):
            if name in folderrefs.read(self.folder, "tags"):
                folderrefs.remove(self.folder, "tags", name)

    def tag(self, name: str, oid: str, message: str = "") -> None:
        oid = self.whole(oid)
        self.body(oid)
        with locked(self.folder / "lock"):
            there = folderrefs.read(self.folder, "tags").get(name)
            if there and not folderobjects.SHA256.match(there):
                there = None  # the file of the tag is damaged
            if there == oid:
                return
            if there:
                raise HubConflict(
                    f"tag {name} is already on commit {there[:12]}, not on {oid[:12]}",
                    safe="The tag was not moved.",
                    remedy="Raise the version in the recipe",
                )
            folderrefs.move(self.folder, "tags", name, oid, message)

    def history(self, revision: str, until: str | None) -> list[CommitNote]:
        found: list[CommitNote] = []
        current: str | None = revision
        while current and current != until and len(found) < 50:
            try:
                body = self.body(current)
            except NoCommit:
                if found:
                    break  # a restored commit may follow one that stayed lost
                raise
            seconds = (self.folder / "commits" / f"{current}.json").stat().st_mtime
            date = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            found.append(CommitNote(current, (), date, body["message"].partition("\n")[0]))
            current = body["parent"]
        return found

    def open(self, revision: str, path: str, offset: int = 0) -> IO[bytes]:
        file = self.tree(revision).get(path)
        if file is None:
            raise InputError(f"commit {revision[:12]} has no file {path}")
        try:
            stream = folderobjects.place(self.objects, file.sha256).open("rb")
        except FileNotFoundError:
            raise Damaged(f"the content of {file.path} is missing from the hub's folder", remedy=REPAIR) from None
        stream.seek(offset)
        return stream

    def listing(self, revision: str) -> dict[str, Listed]:
        return {f.path: Listed(f.path, f.size_bytes, f.sha256) for f in self.tree(revision).values()}

    def incoming(self, revision: str, file: Listed, begin: int, end: int, stall_seconds: float) -> Incoming:
        del stall_seconds
        stream = self.open(revision, file.path, begin)
        size = os.fstat(stream.fileno()).st_size
        if size != file.size_bytes:
            stream.close()
            raise Damaged(f"the hub's folder has {size} bytes for {file.path}, not {file.size_bytes}", remedy=REPAIR)
        return Incoming(begin, folderobjects.chunks(stream, end - begin), stream.close, ranged=False)

    def other_way(self, revision: str, file: Listed, folder: Path) -> Path:
        target = folder / "content"
        with self.open(revision, file.path) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
        return target

    def _absent(self, revision: str) -> NoCommit:
        """What is missing: the hub, the repository or only the commit."""
        hub, check = self.objects.parent, "Check the setting hub (flag --hub)"
        kind, namespace, name = self.folder.parts[-3:]
        if not hub.is_dir():
            return NoCommit(f"the folder of the hub, {hub.name}, does not exist", remedy=check)
        if not self.folder.is_dir():
            return NoCommit(f"the hub in folder {hub.name} has no {kind} repository {namespace}/{name}", remedy=check)
        return NoCommit(f"the repository has no commit {revision[:12]}")

    def whole(self, oid: str) -> str:
        """The complete id of a commit that is named by its first digits, as ``zoo hub serve`` names it; others as they
        are."""
        if _DIGITS.match(oid):
            found = sorted((self.folder / "commits").glob(f"{oid}*.json"))
            return found[0].stem if len(found) == 1 else oid
        return oid

    def body(self, revision: str) -> Body:
        """A stored commit. Raises InputError if it is missing, Damaged if it has changed."""
        revision = self.whole(revision)
        if _DIGITS.match(revision):
            raise self._absent(revision)
        if not folderobjects.SHA256.match(revision):
            raise InputError(f"{revision!r} is not a commit")
        try:
            body = jsontext.read(self.folder / "commits" / f"{revision}.json")
            if digest(body) == revision:
                found = shaped(body, Body)
                filelist.checked(_records(found))
                return found
        except FileNotFoundError:
            raise self._absent(revision) from None
        except ValueError:
            pass
        raise DamagedCommit(f"commit {revision[:12]} is damaged on disk", where=self.folder.name, remedy=REPAIR)


def _refuse_main(branch: str) -> None:
    if branch == BRANCH:
        raise InputError(f"the branch {BRANCH} is never deleted")


def _records(body: Body) -> list[FileRecord]:
    return [FileRecord(path, size, sha256) for path, (sha256, size) in body["files"].items()]
