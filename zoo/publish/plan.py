"""What publishing would do, file by file, each with its reason. Pure but for reading the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.hub import BRANCH, Repo
from zoo.workspace import FileRecord


@dataclass(frozen=True)
class Change:
    """action is ``add``, ``replace``, ``delete`` or ``skip``."""

    action: str
    path: str
    size_bytes: int
    reason: str


@dataclass(frozen=True)
class RepoPlan:
    """One repository: its files as they shall be, the head they are compared with, the tag's commit if there is one."""

    kind: str
    name: str
    parent: str | None
    tagged: str | None
    files: tuple[FileRecord, ...]
    changes: tuple[Change, ...]

    @property
    def is_published(self) -> bool:
        """True when the tag is there."""
        return self.tagged is not None

    @property
    def upload_bytes(self) -> int:
        return sum(change.size_bytes for change in self.changes if change.action in ("add", "replace"))


def plan_repo(kind: str, name: str, repo: Repo, tag: str, files: Sequence[FileRecord]) -> RepoPlan:
    """Compare ``files`` with the tag's commit if the version is out already, else with the branch's head."""
    refs = repo.refs()
    head, tagged = refs.branches.get(BRANCH), refs.tags.get(tag)
    base = tagged or head
    there = repo.tree(base) if base else {}
    return RepoPlan(kind, name, head, tagged, tuple(files), tuple(_changes(there, files)))


def _changes(there: Mapping[str, FileRecord], files: Sequence[FileRecord]) -> list[Change]:
    changes = []
    for file in files:
        other = there.get(file.path)
        if other is None:
            changes.append(Change("add", file.path, file.size_bytes, "not on the hub yet"))
        elif other.sha256 == file.sha256:
            changes.append(Change("skip", file.path, file.size_bytes, "the same bytes are there"))
        else:
            changes.append(
                Change("replace", file.path, file.size_bytes, f"the hub has {other.sha256[:12]} from before")
            )
    kept = {file.path for file in files}
    for path, other in there.items():
        # A hub may add this file by itself.
        if path not in kept and path != ".gitattributes":
            changes.append(Change("delete", path, other.size_bytes, "not in this release"))
    return sorted(changes, key=lambda change: change.path)
