"""What publishing would do, file by file, each with its reason. Pure except for reading the hub."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from catalog.paths import unsafe_reason
from zoo.errors import DamagedRelease, InputError, ZooError
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, Repo, refuse_clashes
from zoo.hub.interface import STAGING
from zoo.publish import line as lines
from zoo.publish import others
from zoo.publish.claims import Claim
from zoo.publish.line import MAIN, NOBODY, Line, Owner
from zoo.publish.others import AS_RELEASED, Cards

ADDED_BY_HUB = ".gitattributes"
"""Hubs may add this file themselves."""

CHANGED = "someone else put or changed this file"

_RESERVED = (".git", ".cache", ".huggingface")


class VersionTaken(ZooError):
    """The version is already published with different content."""


@dataclass(frozen=True)
class Change:
    """action is ``add``, ``replace``, ``delete``, ``skip`` (ours, the same bytes) or ``keep`` (not ours)."""

    action: str
    path: str
    size_bytes: int
    reason: str


@dataclass(frozen=True)
class Known:
    """What is known of a repository before it is read. keep: files of others that stay in any case, if the release does
    not have them. delete_others: those that no release put there go. cards: which cards are this zoo's own.
    stage: the release goes to the branch of its staging. claim: tells whether a main branch is this zoo's."""

    owner: Owner = NOBODY
    keep: Collection[str] = ()
    delete_others: bool = False
    cards: Cards = AS_RELEASED
    stage: bool = False
    claim: Claim | None = None


NOTHING = Known()


@dataclass(frozen=True)
class RepoPlan:
    """One repository: its planned files, the head they are compared with, the tag's commit if there is one.

    line: the branch that the commit goes to; owner: the model that the repository must belong to; delete_others: files
    that no release put there are deleted. behind: of a published version, what brings it to the main branch, if that
    holds a lower one although this is the highest. staged: the head of the branch with the same version, staged.
    """

    kind: str
    name: str
    parent: str | None
    tagged: str | None
    files: tuple[FileRecord, ...]
    changes: tuple[Change, ...]
    line: Line = MAIN
    owner: Owner = NOBODY
    delete_others: bool = False
    behind: RepoPlan | None = None
    staged: str | None = None

    @property
    def is_staging(self) -> bool:
        """True if the commit goes to the branch of a staging."""
        return self.line.branch.startswith(STAGING)

    @property
    def is_published(self) -> bool:
        """True if the tag exists."""
        return self.tagged is not None

    @property
    def changed(self) -> list[Change]:
        """What a commit would change."""
        return [change for change in self.changes if change.action in ("add", "replace", "delete")]

    @property
    def kept(self) -> list[str]:
        """Files of others that are kept."""
        return [change.path for change in self.changes if change.action == "keep"]

    @property
    def replaced(self) -> list[str]:
        """Files of others that the release replaces."""
        return [change.path for change in self.changes if change.reason == CHANGED]

    @property
    def upload_bytes(self) -> int:
        return sum(change.size_bytes for change in self.changes if change.action in ("add", "replace"))


def refuse_unsafe(version: str, files: Sequence[FileRecord]) -> None:
    """Raises InputError for a version that is not a valid tag, DamagedRelease for a path that some systems cannot
    store."""
    if not lines.VERSION.match(version):
        raise InputError(f"{version!r} is not a valid version", remedy="Write three numbers, for example 1.0.0")
    for file in files:
        reason = unsafe_reason(file.path)
        if not reason and any(part.casefold() in _RESERVED for part in file.path.split("/")):
            reason = "is in a folder that hubs keep for themselves"
        if reason:
            raise DamagedRelease(f"path {file.path!r} of the release {reason}")
    refuse_clashes({file.path: file for file in files})


def plan_repo(
    kind: str,
    name: str,
    repo: Repo,
    tag: str,
    files: Sequence[FileRecord],
    known: Known = NOTHING,
) -> RepoPlan:
    """Compare ``files`` with the tag's commit if the version is already published, else with the head of its branch.

    Raises InputError if the repository is another model's, OtherRepository if its main branch is another zoo's.
    """
    refs, label, version = repo.refs(), f"{kind} repository {name}", tag.removeprefix("v")
    tagged = refs.tags.get(tag)
    if tagged:
        line = lines.of_tagged(refs, version)
    else:
        line = (lines.staging if known.stage else lines.choose)(label, repo, refs, version, known.owner)
    head = refs.branches.get(BRANCH)
    if known.claim:
        known.claim.refuse_recorded(kind, name, repo)
    if not tagged and known.claim:
        known.claim.refuse(kind, name, repo, refs)
    changes = _of_tagged(label, repo, tagged, files, known) if tagged else _new(label, repo, line.head, files, known)
    plan = RepoPlan(
        kind, name, line.head, tagged, tuple(files), tuple(changes), line, known.owner, known.delete_others,
        staged=refs.branches.get(f"{STAGING}{version}"),
    )  # fmt: skip
    is_behind = tagged and not plan.changed and lines.is_behind(label, repo, refs, version, known.owner)
    if tagged and known.claim and (plan.changed or is_behind or known.stage):
        known.claim.refuse(kind, name, repo, refs)
    if head and is_behind:
        there = _new(label, repo, head, files, known)
        on_main = dataclasses.replace(plan, parent=head, tagged=None, changes=tuple(there), line=Line(head=head))
        return dataclasses.replace(plan, behind=on_main)
    return plan


def _new(
    label: str, repo: Repo, base: str | None, files: Sequence[FileRecord], known: Known
) -> list[Change]:
    """What a commit on ``base`` changes."""
    there = lines.tree_of(label, repo, base) if base else {}
    keep, theirs = known.keep, frozenset[str]()
    if not known.delete_others:
        wanted = {file.path: file for file in files}
        left = {path for path in there if there[path] != wanted.get(path)} - {ADDED_BY_HUB}
        if base in known.owner.commits:
            left -= wanted.keys()  # nobody changed our files since our own commit
        theirs = others.foreign(repo, base, there, left, known.cards)
        keep = {*keep, *(theirs - wanted.keys())}
        others.refuse_in_the_way(label, keep & there.keys(), wanted)
    return [
        dataclasses.replace(one, reason=CHANGED) if one.action == "replace" and one.path in theirs else one
        for one in _changes(there, files, keep)
    ]


def _of_tagged(
    label: str, repo: Repo, tagged: str, files: Sequence[FileRecord], known: Known
) -> list[Change]:
    """How a version with a tag differs. Raises OtherModel if it is another model's."""
    there = lines.tree_of(label, repo, tagged)
    changes = _changes(there, files, known.keep)
    if any(change.action in ("add", "replace") for change in changes):
        lines.refuse_other_model(label, repo, tagged, known.owner)
        return changes
    # The manifest is ours and unchanged: files that it does not list came from others.
    return _changes(there, files, there)


def _changes(
    there: Mapping[str, FileRecord], files: Sequence[FileRecord], keep: Collection[str]
) -> list[Change]:
    changes = []
    for file in files:
        other = there.get(file.path)
        if other is None:
            changes.append(Change("add", file.path, file.size_bytes, "not on the hub yet"))
        elif other.sha256 == file.sha256:
            changes.append(Change("skip", file.path, file.size_bytes, "the hub has the same bytes"))
        else:
            changes.append(
                Change("replace", file.path, file.size_bytes, f"the hub has an older version, {other.sha256[:12]}")
            )
    ours = {file.path for file in files}
    for path, other in there.items():
        if path in ours or path == ADDED_BY_HUB:
            continue
        if path in keep:
            changes.append(Change("keep", path, other.size_bytes, "no release of this zoo put it there"))
        else:
            changes.append(Change("delete", path, other.size_bytes, "not in this release"))
    return sorted(changes, key=lambda change: change.path)
