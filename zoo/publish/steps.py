"""The steps of a publication that write to the hub. Each can be run again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.release import Repository
from zoo.commandline import Command
from zoo.errors import InputError, RemoteError, ZooError
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, HubConflict, Repo
from zoo.hub.interface import is_same_commit
from zoo.progress import Reporter
from zoo.publish.hashes import GIT_BYTES, Hashes
from zoo.publish.journal import Journal
from zoo.publish.plan import ADDED_BY_HUB, Known, RepoPlan, VersionTaken, plan_repo
from zoo.publish.stalls import watched
from zoo.pull.arriving import some

Files = tuple[FileRecord, ...]

_TRIES = 3

_NOTED_BYTES = 1 << 20
"""Smaller contents may travel inside the commit, so before it they are not on the hub."""


@dataclass(frozen=True)
class Target:
    """A repository of this release, the folder that holds its files, and its commit once there is one."""

    kind: str
    name: str
    folder: Path
    repo: Repo
    plan: RepoPlan
    commit: str | None = None

    @property
    def label(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Work:
    """What every step needs. message: what the commit and the tag say."""

    tag: str
    message: str
    hub: str
    hashes: Hashes
    journal: Journal
    report: Reporter


def git_digests(hashes: Hashes, folder: Path, files: Sequence[FileRecord]) -> dict[str, str]:
    """git's digest -> sha256 of the small files, so that identical files on the hub need not be read."""
    small = [file for file in files if file.size_bytes <= GIT_BYTES]
    found = {hashes.check(folder, file).git: file.sha256 for file in small}
    found.pop("", None)
    return found


def earlier_commit(work: Work, target: Target) -> str | None:
    """The commit of an earlier run, if it still is exactly this release and only the tag is missing.

    A staging has no tag: only its branch makes it one, so that must be on the commit. It may have been removed since,
    here or from another machine.
    """
    oid = work.journal.committed(target.kind)
    if oid is None or target.plan.parent is None or (target.plan.is_staging and target.plan.staged != oid):
        return None
    try:
        there = target.repo.tree(oid)
    except InputError:
        return None
    kept = work.journal.kept(target.kind)
    return None if differences(there, target.plan.files, kept) else oid


def as_recorded(target: Target, recorded: Repository, hub: str, command: Command) -> Target:
    """The target with the commit that the catalog records, if only its tag is missing on the hub. command: gives the
    one that publishes it with other options.

    Raises VersionTaken if the tag is on another commit, or if the hub no longer has the commit. Only a folder hub is
    made again without a question: nobody else can have its commits.
    """
    tag, tagged = recorded.tag, target.plan.tagged
    if is_same_commit(tagged or "", recorded.commit):
        return target
    if tagged:
        raise VersionTaken(
            f"tag {tag} of {target.label} moved: the catalog records commit {recorded.commit[:12]}, but it is on"
            f" {tagged[:12]}",
            safe="Nothing was changed.",
            remedy=f"Delete the tag on the hub, then set it back with: {command('--repair')}. If the new commit is "
            f"right, record it with: {command('--move')}",
        )
    try:
        there = target.repo.tree(recorded.commit) if target.plan.parent else {}
    except InputError:
        there = {}
    if there and not differences(there, target.plan.files, frozenset(there)):
        return dataclasses.replace(target, commit=recorded.commit)
    if hub == "folder":
        return target
    raise VersionTaken(
        f"{target.label} at {hub} no longer has commit {recorded.commit[:12]}, which the catalog records",
        safe="Nothing was changed.",
        remedy=f"To publish every version there again and record the new commits: {command('--repair', '--move')}",
    )


def differences(
    there: Mapping[str, FileRecord], files: Sequence[FileRecord], kept: frozenset[str]
) -> list[str]:
    """What is wrong in a commit: paths, each with a description."""
    found = []
    for file in files:
        other = there.get(file.path)
        if other is None:
            found.append(f"{file.path} is missing")
        elif other != file:
            found.append(
                f"{file.path} has {other.size_bytes} bytes and sha256 {other.sha256[:12]}, "
                f"not {file.size_bytes} and {file.sha256[:12]}"
            )
    ours = {file.path for file in files} | kept | {ADDED_BY_HUB}
    return found + [f"{path} is not ours" for path in sorted(set(there) - ours)]


def check_files(work: Work, targets: Sequence[Target]) -> None:
    """Check that every file to send matches its manifest. Raises Damaged before anything is sent."""
    chosen = [(t, file) for t in targets for file in _to_send(t.plan)]
    for target in targets:
        # Files are never published by cached digests: a disk may have changed bytes but no times.
        work.hashes.forget(target.folder, _to_send(target.plan))
    total = sum(work.hashes.to_read(target.folder, [file]) for target, file in chosen)
    with work.report.task("checking files", total, "B") as advance:
        for target, file in chosen:
            work.hashes.check(target.folder, file, advance)
    work.hashes.save()


def _to_send(plan: RepoPlan) -> list[FileRecord]:
    """Largest first: if it fails, it fails early."""
    wanted = {change.path for change in plan.changes if change.action in ("add", "replace")}
    chosen = [file for file in plan.files if file.path in wanted]
    return sorted(chosen, key=lambda file: (-file.size_bytes, file.path))


def upload(work: Work, target: Target) -> None:
    """Upload the contents, which nobody sees until a commit names them."""
    chosen = _to_send(target.plan)
    total = sum(file.size_bytes for file in chosen)
    with work.report.task(f"uploading {target.label}", total, "B") as advance:
        target.repo.expect(target.folder, chosen)
        for file in chosen:
            work.hashes.check(target.folder, file)
            with watched(work.report, f"sending {file.path} to {work.hub}", advance) as moved:
                target.repo.put(target.folder / file.path, file.sha256, moved)
            if file.size_bytes > _NOTED_BYTES:
                work.journal.note("uploaded", kind=target.kind, path=file.path, sha256=file.sha256)


def send_lost(work: Work, target: Target) -> None:
    """Send what the hub lost of a published version again. A hub that does not tell is not asked twice."""
    try:
        with watched(work.report, f"asking {work.hub} for lost contents"):
            lost = target.repo.lost(target.plan.files)
    except RemoteError:
        return
    if lost:
        names, it = some([file.path for file in lost]), "it is" if len(lost) == 1 else "they are"
        work.report.warn(f"{target.label} at {work.hub} had lost the content of {names}; {it} sent again")
    for file in lost:
        work.hashes.check(target.folder, file)
        with watched(work.report, f"sending {file.path} to {work.hub}") as moved:
            target.repo.restore(target.folder / file.path, file.sha256, moved)


def commit(work: Work, target: Target) -> Target:
    """One commit on the head that the plan saw; planned again if others only changed other files in the meantime."""
    for _ in range(_TRIES):
        plan = target.plan
        if not plan.changed and (there := plan.tagged or plan.parent):
            oid = there
            break
        work.journal.note("committing", kind=target.kind, parent=plan.parent, keep=plan.kept)
        files = {file.path: file for file in plan.files}
        adds = [files[change.path] for change in plan.changed if change.action != "delete"]
        deletes = [change.path for change in plan.changed if change.action == "delete"]
        try:
            with watched(work.report, f"committing to {target.label} at {work.hub}"):
                if plan.line.begins and plan.parent:
                    target.repo.begin(plan.line.branch, plan.parent)
                oid = target.repo.commit(plan.parent, adds, deletes, work.message, plan.line.branch)
            break
        except HubConflict as conflict:
            target = _plan_again(work, target, conflict)
    else:
        raise HubConflict(f"other people committed to {target.label} {_TRIES} times before this commit could be made")
    work.journal.note("committed", kind=target.kind, oid=oid)
    return dataclasses.replace(target, commit=oid)


def _plan_again(work: Work, target: Target, conflict: HubConflict) -> Target:
    """The plan on the new head, if nobody touched our files. Raises HubConflict with who, when and what."""
    old = target.plan
    known = Known(old.owner, old.kept, old.delete_others, stage=old.is_staging)
    plan = plan_repo(old.kind, old.name, target.repo, work.tag, old.files, known)
    head = plan.parent
    if plan.tagged and not plan.changed:
        return dataclasses.replace(
            target, plan=plan
        )  # another publisher did the same and finished first
    if not plan.tagged and plan.line.branch != old.line.branch:
        # A higher version was published in the meantime, so this one goes to a branch of its own now.
        return _sent(work, dataclasses.replace(target, plan=plan))
    if plan.tagged or head is None or head == old.parent:
        raise conflict
    before = target.repo.tree(old.parent) if old.parent else {}
    after = target.repo.tree(head)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    touched.discard(ADDED_BY_HUB)
    if not differences(after, old.files, frozenset(old.kept)):
        return dataclasses.replace(target, plan=plan)  # another publisher did the same
    ours = {file.path for file in old.files} | {c.path for c in old.changes if c.action == "delete"}
    notes = target.repo.history(head, old.parent)
    told = [f"  {' '.join((n.date, ', '.join(n.authors) or 'unknown', n.title[:80]))}" for n in notes[:5]]
    if hit := sorted(touched & ours):
        lines = [f"someone else changed {', '.join(hit[:5])} in {target.label} in the meantime", *told]
        raise HubConflict(
            "\n".join(lines), remedy="Check that commit. Then run the same command to publish on top of it"
        ) from conflict
    if touched:  # else the hub only made its own first commit
        words = f"someone else committed other files to {target.label}. They are kept. Planning again"
        work.report.say("\n".join([words, *told]))
    known = Known(old.owner, {*old.kept, *(touched & after.keys())}, old.delete_others, stage=old.is_staging)
    plan = plan_repo(old.kind, old.name, target.repo, work.tag, old.files, known)
    return _sent(work, dataclasses.replace(target, plan=plan))


def _sent(work: Work, again: Target) -> Target:
    """Files of the old head that the new one lacks must be there too."""
    check_files(work, [again])
    upload(work, again)
    return again


def free(work: Work, target: Target) -> Target:
    """The target if its tag can be set: nobody has it, or it is on this very release, whose commit is taken then.

    Raises VersionTaken if the tag is on anything else.
    """
    there = target.repo.refs().tags.get(work.tag)
    if there is None or there == target.commit:
        return target
    files = target.repo.tree(there)
    if differences(files, target.plan.files, frozenset(files)):
        raise VersionTaken(
            f"tag {work.tag} of {target.label} is on commit {there[:12]}, which is another release: somebody else used"
            " this version in the meantime",
            safe="Tags that were set stay, and no tag moved. This release's commit has no complete version.",
            remedy="Raise the version in the recipe, then release again",
        )
    return dataclasses.replace(target, commit=there)


def tag(work: Work, target: Target) -> Target:
    """Set the tag on the verified commit, and end its branch if that is not the main one.

    Raises VersionTaken if somebody else set the tag on another release.
    """
    if target.commit is None:
        raise ZooError(f"{target.label} has no commit to tag")
    with watched(work.report, f"setting tag {work.tag} of {target.label} at {work.hub}"):
        try:
            target.repo.tag(work.tag, target.commit, work.message)
        except HubConflict as conflict:
            target = free(work, target)
            if target.repo.refs().tags.get(work.tag) != target.commit:
                raise conflict
    if not target.plan.is_published:
        work.journal.note("tagged", kind=target.kind, oid=target.commit)
    if target.plan.line.branch != BRANCH:
        _end(work, target)
    return target


def raise_main(work: Work, target: Target) -> None:
    """Bring the highest version back to the main branch, if that holds a lower one. The tag stays where it is."""
    if target.plan.behind:
        work.report.say(f"{target.label}: the main branch holds an older version; it gets {work.tag} again")
        commit(work, _sent(work, dataclasses.replace(target, plan=target.plan.behind, commit=None)))


def _end(work: Work, target: Target) -> None:
    """Delete the branch that the commit was made on. The tag keeps the commit, so a failure harms nothing."""
    end_branch(work, target, target.plan.line.branch)


def end_branch(work: Work, target: Target, branch: str) -> None:
    """Delete a branch that is not needed any more; a failure is only reported."""
    try:
        target.repo.end(branch)
    except (ZooError, OSError) as error:
        work.report.warn(f"branch {branch} of {target.label} is not needed any more but could not be deleted: {error}")
