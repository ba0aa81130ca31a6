"""What every hub can do: repositories with immutable commits, a branch that moves, and tags that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from zoo.errors import AGAIN, Damaged, InputError, ZooError
from zoo.files.listing import FileRecord
from zoo.progress import Advance

BRANCH = "main"

STAGING = "staging-"
"""What the name of a branch with a release that is not published yet begins with; the version follows."""

SEND_AGAIN = "X-Zoo-Send-Again"
"""Header of a request to upload. It asks ``zoo hub serve`` to read its copy before it says that it has a content. Other
hubs ignore it."""


@dataclass(frozen=True)
class Incoming:
    """The content of a file as a stream, from ``begin``; close it.

    ``chunks`` raises RemoteError when it breaks. ranged: False from a hub that only sends whole files. A chunk is
    valid until the next one is taken.
    """

    begin: int
    chunks: Iterator[bytes | memoryview]
    close: Callable[[], None]
    ranged: bool = True


def is_same_commit(one: str, other: str) -> bool:
    """Whether two ids mean the same commit; a served folder hub shortens them. False for an empty one."""
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


class HubConflict(ZooError):
    """Someone else moved the branch or took the tag; nothing was written."""


def moved(head: str | None, expected: str | None) -> HubConflict:
    """The error of a branch whose head is not the commit that was expected; None: it has no commit yet."""
    what = f"the branch is at {head[:12]}, not at {expected[:12]} as expected" if head and expected else ""
    if not head:
        what = f"the branch no longer exists. It was at {(expected or '')[:12]}"
    if not expected:
        what = f"the branch has commits already, up to {(head or '')[:12]}, but was expected to be empty"
    return HubConflict(
        what, safe="Nothing was committed.", remedy="Someone else published here just now", again=AGAIN
    )


class NotOffered(InputError):
    """The hub has nothing of this kind, so the same command cannot succeed there."""


class NoCommit(InputError):
    """The repository does not have the commit, or does not exist."""


class DamagedCommit(Damaged):
    """The disk of the hub has another content for a commit, so nothing is known of its files."""


@dataclass(frozen=True)
class Refs:
    """Commits by name."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Listed:
    """A file as a hub's tree lists it. sha256 or git_sha1 (git's digest of a blob) may be unknown, not both."""

    path: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None = None


@dataclass(frozen=True)
class CommitNote:
    """Who made a commit, when (UTC, ISO 8601) and what it says. Empty if the hub does not know."""

    oid: str
    authors: tuple[str, ...]
    date: str
    title: str


@dataclass(frozen=True)
class Described:
    """How a hub describes a model now. licence is the Hub's identifier; gated is ``no``, ``auto`` or ``manual``."""

    licence: str | None
    licence_name: str | None
    gated: str


ABSENT_FILE, ABSENT_COMMIT, ABSENT_CONTENT = "file", "commit", "content"
CONTENT_LOST = "ContentLost"
"""Value of X-Error-Code in an answer of ``zoo hub serve``: the commit lists the file, but its content is lost."""


@dataclass(frozen=True)
class Served:
    """absent: None, ``file``, ``commit`` or ``content`` (the hub lists the file, but lost its content). A hub reports
    sha256 or git_sha1, or neither."""

    absent: str | None
    size_bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None


class ReadRepo(Protocol):
    """One repository to download from."""

    def listing(self, revision: str) -> dict[str, Listed]:
        """The files of a commit, by path, with the digests that the hub reports; nothing is downloaded.

        Raises RemoteError.
        """

    def incoming(self, revision: str, file: Listed, begin: int, end: int, stall_seconds: float) -> Incoming:
        """Bytes ``begin`` to ``end`` of a file to download, or the complete file if the hub has no ranges.

        Raises RemoteError, also if the announced file is not ``file``.
        """

    def served(self, revision: str, path: str) -> Served:
        """What the hub serves as ``path`` at a commit; no content is sent. Raises ZooError if the hub does not
        answer."""

    def other_way(self, revision: str, file: Listed, folder: Path) -> Path:
        """The complete file through another transport than ``incoming``, somewhere below the empty ``folder``."""


class ReadHub(Protocol):
    """Where releases can be downloaded."""

    @property
    def name(self) -> str:
        """``folder``, or an address; never a local path."""

    def repo(self, kind: str, namespace: str, name: str) -> ReadRepo:
        """A repository, which may not exist. kind is ``model`` or ``dataset``."""


class Repo(ReadRepo, Protocol):
    """One repository of a hub."""

    def refs(self) -> Refs:
        """Branches and tags; both empty for a repository that does not exist."""

    def tree(self, revision: str) -> dict[str, FileRecord]:
        """The files of a commit, by path."""

    def recognise(self, digests: Mapping[str, str]) -> None:
        """git's blob digest -> sha256 of local files, so that ``tree`` need not read them to know their sha256."""

    def expect(self, folder: Path, files: Iterable[FileRecord]) -> None:
        """``put`` will be called for these files, which are below ``folder``. So a hub is asked once for all of them.

        Raises Damaged if a small file does not have its sha256.
        """

    def put(self, path: Path, sha256: str, advance: Advance) -> bool:
        """Upload content, invisible until a commit names it. False if the hub already had it.

        ``path`` was hashed before: a hub refuses bytes with another sha256, but need not read them twice.
        ``advance`` receives negative amounts if a part must be sent again.
        """

    def lost(self, files: Iterable[FileRecord]) -> list[FileRecord]:
        """Published files whose content the hub no longer has, as far as it tells without reading them.

        Raises ZooError if the hub does not answer.
        """

    def restore(self, path: Path, sha256: str, advance: Advance) -> None:
        """Upload a published content again, whatever the hub has in its place. ``path`` was hashed before.

        Raises ZooError, Damaged if the hub does not take it.
        """

    def restore_commit(self, oid: str, files: Iterable[FileRecord], title: str, parents: Iterable[str] = ()) -> bool:
        """Write a lost or damaged commit again by what is known of it; ``parents`` are commits that it may follow.

        False if that is not enough, or if the hub cannot do it: only folder hubs can, and ``zoo hub serve``. title: its
        complete message.
        """

    def access(self) -> str:
        """Who may read the repository, a key of ``catalog.access.STRICT``; empty if it does not exist."""

    def set_access(self, access: str) -> None:
        """Change who may read the repository, which is made if it does not exist. Raises InputError if the hub cannot
        keep it so."""

    def restore_branch(self, name: str, oid: str) -> bool:
        """Set a lost branch, or one whose commit is lost, on its last commit if the hub knows it, else on ``oid``. If
        that is lost too, the next commit begins the branch. False if it is not lost."""

    def commit(
        self,
        parent: str | None,
        adds: Iterable[FileRecord],
        deletes: Iterable[str],
        message: str,
        branch: str = BRANCH,
    ) -> str:
        """One commit on a branch whose head must be ``parent`` (None: no commit yet). Raises HubConflict.

        message: its first line is the title.
        """

    def begin(self, branch: str, oid: str) -> None:
        """A new branch that begins at a commit. An existing one is accepted, wherever it is."""

    def end(self, branch: str) -> None:
        """Delete a branch other than ``main``; commits with a tag stay. A missing one is accepted."""

    def tag(self, name: str, oid: str, message: str = "") -> None:
        """A new tag, with a message where the hub keeps one. The same tag on the same commit is accepted; on another
        commit it raises HubConflict."""

    def history(self, revision: str, until: str | None) -> list[CommitNote]:
        """The commits from ``revision`` back to ``until``, which is not in it; newest first, at most fifty."""

    def open(self, revision: str, path: str, offset: int = 0) -> IO[bytes]:
        """The content of a file from ``offset``."""



@dataclass(frozen=True)
class Entry:
    """A repository in a collection. kind may also be another word of the hub, such as ``paper``; key: the hub's own
    id of the entry."""

    kind: str
    name: str
    note: str
    key: str = ""


@dataclass(frozen=True)
class Collection:
    """A list of repositories that a hub shows. slug: its name in addresses."""

    slug: str
    title: str
    description: str
    entries: tuple[Entry, ...]


class Collections(Protocol):
    """The collections of one user or organisation. Methods raise ZooError if the hub does not answer or refuses."""

    def find(self) -> list[Collection]:
        """All of them, complete."""

    def create(self, title: str, description: str) -> Collection:
        """A new one, or the one with this title."""

    def rename(self, slug: str, title: str) -> None:
        """Give a collection another title."""

    def add(self, slug: str, entry: Entry) -> None:
        """Add a repository at the end; one that is in it already stays as it is."""

    def note(self, slug: str, key: str, note: str) -> None:
        """Change the note of an entry."""

    def move(self, slug: str, key: str, position: int) -> None:
        """Move an entry to a position, counted from 0; those behind it move on."""

    def remove(self, slug: str, key: str) -> None:
        """Take an entry out; a missing one is accepted."""


class Hub(Protocol):
    """Where repositories are."""

    @property
    def name(self) -> str:
        """``folder``, or the hub's address; never a local path."""

    def repo(self, kind: str, namespace: str, name: str) -> Repo:
        """A repository, which may not exist yet. kind is ``model`` or ``dataset``."""

    def collections(self, namespace: str) -> Collections | None:
        """The collections of a namespace; None for a hub that has no collections."""
