"""Carry a publication out: upload, commit, verify, tag last. Run again after a kill; nothing happens twice."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.release import Location, Repository
from zoo.assemble import ReleaseFolder
from zoo.errors import Damaged, ZooError
from zoo.hub import Hub, Repo
from zoo.progress import Reporter
from zoo.publish.plan import RepoPlan, plan_repo
from zoo.settings import Settings
from zoo.workspace import canonical_json, locked


class VersionTaken(ZooError):
    """The version is published with other content."""


@dataclass(frozen=True)
class Target:
    """A repository of this release and the folder that holds its files."""

    kind: str
    name: str
    folder: Path
    repo: Repo
    plan: RepoPlan


@dataclass(frozen=True)
class Published:
    """Where the release is now. ``already`` is True when nothing had to be done."""

    location: Location
    already: bool


def prepare(
    release: ReleaseFolder, recipe_publish: tuple[str, str | None], settings: Settings, hub: Hub
) -> list[Target]:
    """The plan of every repository. Raises VersionTaken when the version is out with other content."""
    model_name, dataset_name = recipe_publish
    wanted = [("model", model_name, release.model_files)]
    if release.has_dataset and dataset_name:
        # The data first: a model card that names a dataset should never point at nothing.
        wanted.insert(0, ("dataset", dataset_name, release.dataset_files))
    targets = []
    for kind, name, files in wanted:
        repo = hub.repo(kind, settings.namespace, name)
        plan = plan_repo(kind, name, repo, tag_of(release), files)
        _refuse_other_content(plan, release)
        targets.append(Target(kind, name, release.folder / kind, repo, plan))
    return targets


def apply(
    release: ReleaseFolder, targets: list[Target], settings: Settings, hub: Hub, report: Reporter
) -> Published:
    """Publish. Both repositories are committed and verified before either gets its tag."""
    journal = _Journal(release.folder.with_name(f"{release.folder.name}.journal.jsonl"))
    with locked(
        journal.path.with_suffix(".lock"), lambda: report.say("another zoo publishes this release; waiting")
    ):
        # Another process may have published this or another release since the plan was made.
        targets = [_fresh(release, target) for target in targets]
        already = all(target.plan.is_published for target in targets)
        commits = {}
        for target in targets:
            commits[target.kind] = target.plan.tagged or _commit(release, target, report)
            journal.write(
                {"step": "committed", "kind": target.kind, "oid": commits[target.kind]}, unless=already
            )
        for target in targets:
            _verify(target, commits[target.kind])
            journal.write(
                {"step": "verified", "kind": target.kind, "oid": commits[target.kind]}, unless=already
            )
        for target in targets:
            target.repo.tag(tag_of(release), commits[target.kind])
            journal.write(
                {"step": "tagged", "kind": target.kind, "oid": commits[target.kind]}, unless=already
            )
    places = {
        t.kind: Repository(f"{settings.namespace}/{t.name}", commits[t.kind], tag_of(release))
        for t in targets
    }
    return Published(Location(hub.name, places["model"], places.get("dataset")), already)


def _fresh(release: ReleaseFolder, target: Target) -> Target:
    plan = plan_repo(target.kind, target.name, target.repo, tag_of(release), target.plan.files)
    _refuse_other_content(plan, release)
    return dataclasses.replace(target, plan=plan)


def tag_of(release: ReleaseFolder) -> str:
    """The tag of a version."""
    return f"v{release.release.version}"


def _refuse_other_content(plan: RepoPlan, release: ReleaseFolder) -> None:
    if not plan.is_published:
        return
    different = [change for change in plan.changes if change.action != "skip"]
    if different:
        lines = [f"  {change.action} {change.path}: {change.reason}" for change in different[:12]]
        raise VersionTaken(
            "\n".join(
                [f"{release.model.name} {release.release.version} is published with other content", *lines]
            ),
            safe="Nothing was changed; published versions never change.",
            remedy="Raise the version in the recipe, then release again",
        )


def _commit(release: ReleaseFolder, target: Target, report: Reporter) -> str:
    plan = target.plan
    changed = [change for change in plan.changes if change.action != "skip"]
    if not changed and plan.parent:
        return plan.parent
    files = {file.path: file for file in plan.files}
    with report.task(
        f"uploading {target.kind} {target.name}", sum(f.size_bytes for f in plan.files), "B"
    ) as advance:
        # Largest first: if it fails, it fails before much else was done.
        for file in sorted(plan.files, key=lambda f: (-f.size_bytes, f.path)):
            path = target.folder / file.path
            if path.is_symlink() or path.stat().st_size != file.size_bytes:
                raise Damaged(
                    f"{file.path} changed since the release was made", remedy="Make it again with: zoo build"
                )
            target.repo.put(path, file.sha256, advance)
    adds = [files[change.path] for change in changed if change.action in ("add", "replace")]
    deletes = [change.path for change in changed if change.action == "delete"]
    message = f"{release.model.name} {release.release.version}"
    return target.repo.commit(plan.parent, adds, deletes, message)


def _verify(target: Target, oid: str) -> None:
    """Compare the commit's tree with what was to be published. Raises Damaged on any difference."""
    there = {path: file for path, file in target.repo.tree(oid).items() if path != ".gitattributes"}
    for file in target.plan.files:
        if there.pop(file.path, None) != file:
            raise Damaged(
                f"{file.path} at commit {oid[:12]} is not what was uploaded",
                safe="No tag was set.",
                remedy="Run the same command again",
            )
    if there:
        raise Damaged(
            f"commit {oid[:12]} has files that are not ours: {', '.join(sorted(there)[:5])}",
            safe="No tag was set.",
        )


class _Journal:
    """What was done, appended and on disk before the next step. No secrets: kinds and commits only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, entry: dict[str, Any], *, unless: bool) -> None:
        if unless:
            return
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(canonical_json(entry) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
