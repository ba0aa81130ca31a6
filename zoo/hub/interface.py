"""What every hub can do: repositories with immutable commits, a branch that moves, and tags that do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from zoo.errors import ZooError
from zoo.progress import Advance
from zoo.workspace import FileRecord

BRANCH = "main"


class HubConflict(ZooError):
    """Someone else moved the branch or took the tag; nothing was written."""


@dataclass(frozen=True)
class Refs:
    """Commits by name."""

    branches: Mapping[str, str]
    tags: Mapping[str, str]


class Repo(Protocol):
    """One repository of a hub."""

    def refs(self) -> Refs:
        """Branches and tags; both empty for a repository that does not exist."""

    def tree(self, revision: str) -> dict[str, FileRecord]:
        """The files of a commit, by path."""

    def put(self, path: Path, sha256: str, advance: Advance) -> bool:
        """Upload content, invisible until a commit names it. False if the hub had it."""

    def commit(
        self, parent: str | None, adds: Iterable[FileRecord], deletes: Iterable[str], message: str
    ) -> str:
        """One commit on the branch whose head must be ``parent`` (None: no commit yet). Raises HubConflict."""

    def tag(self, name: str, oid: str) -> None:
        """A new tag. The same tag on the same commit is fine; on another one HubConflict."""

    def open(self, revision: str, path: str, offset: int = 0) -> IO[bytes]:
        """The content of a file from ``offset``."""


class Hub(Protocol):
    """Where repositories are."""

    @property
    def name(self) -> str:
        """``folder``, or the hub's address; never a local path."""

    def repo(self, kind: str, namespace: str, name: str) -> Repo:
        """A repository, which need not exist yet. kind is ``model`` or ``dataset``."""
