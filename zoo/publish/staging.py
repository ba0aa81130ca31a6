"""A release that is checked and complete on the hub, on a branch of its own, before it is published.

It can be pulled by those who know of it: ``staged_catalog.json`` next to the release folders records it as the catalog
would. Publishing commits the same files to the main branch, with the contents that the hub has already, and ends the
branch.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from catalog import index
from catalog.release import Location, Model
from zoo import catalogfile
from zoo.commandline import Command
from zoo.errors import InputError
from zoo.files.filelist import MANIFEST
from zoo.hub import Hub
from zoo.hub.interface import STAGING
from zoo.publish import steps
from zoo.publish.plan import VersionTaken
from zoo.publish.steps import Target, Work
from zoo.release import ReleaseFolder
from zoo.settings import Settings

FILE = "staged_catalog.json"


def refuse_other_bytes(target: Target, stage: bool, command: Command) -> None:
    """Raises VersionTaken for a staging of a published version, InputError if the staged files are not those of this
    build. command: gives the one that publishes this version with other options."""
    plan = target.plan
    if stage and plan.is_published:
        raise VersionTaken(
            f"{target.label} has this version as a tag already, so it cannot be staged",
            safe="Nothing was changed.",
            remedy="Raise the version in the recipe",
        )
    if stage or plan.is_published or plan.staged is None:
        return
    staged = target.repo.tree(plan.staged).get(MANIFEST)
    ours = next((file for file in plan.files if file.path == MANIFEST), None)
    if staged is not None and ours is not None and staged.sha256 != ours.sha256:
        raise InputError(
            f"{target.label} has another build of this version on its branch of staging: its {MANIFEST} has sha256 "
            f"{staged.sha256[:12]}, not {ours.sha256[:12]}",
            safe="Nothing was changed.",
            remedy=f"To stage this build: {command('--stage')}. To remove the staged one: {command('--unstage')}",
        )


def refuse_unstaged(targets: list[Target], command: Command) -> None:
    """Raises InputError unless every repository has this version staged, or published, or has its files anyway.
    command: gives the one that publishes this version with other options."""
    for target in targets:
        if target.plan.staged is None and not target.plan.is_published and target.plan.changed:
            raise InputError(
                f"{target.label} has no staged release of this version",
                safe="Nothing was changed.",
                remedy=f"Stage it first with: {command('--stage')}",
            )


def end(work: Work, targets: list[Target]) -> None:
    """Delete the branches of a staging whose version is published now."""
    for target in targets:
        if target.plan.staged is not None:
            steps.end_branch(work, target, f"{STAGING}{work.tag.removeprefix('v')}")


def remove(hub: Hub, namespace: str, names: tuple[str, str | None], version: str) -> list[str]:
    """Delete the branches of a staging. Returns the repositories that had one. Raises ZooError."""
    gone = []
    for kind, name in zip(("model", "dataset"), names, strict=True):
        if not name:
            continue
        repo, branch = hub.repo(kind, namespace, name), f"{STAGING}{version}"
        if branch in repo.refs().branches:
            repo.end(branch)
            gone.append(f"{namespace}/{name}")
    return gone


def path_of(settings: Settings) -> Path:
    """The catalog of what is staged."""
    return settings.releases / FILE


def record(release: ReleaseFolder, location: Location, settings: Settings) -> None:
    """Note a staged release; it replaces an earlier one of this version."""
    entry = dataclasses.replace(release.release, location=location)

    def step(catalog: index.Catalog) -> index.Catalog:
        return index.with_release(_without(catalog, release.model.name, entry.version), release.model, entry)

    catalogfile.change_model(_of_staging(settings), release.model.name, step)


def forget(name: str, version: str, settings: Settings) -> None:
    """Remove the note of a staged release, if there is one."""
    if path_of(settings).exists():
        catalogfile.change(_of_staging(settings), lambda catalog: _without(catalog, name, version))


def _of_staging(settings: Settings) -> Settings:
    value = dataclasses.replace(settings.values["catalog"], text=str(path_of(settings).absolute()))
    return dataclasses.replace(settings, values={**settings.values, "catalog": value})


def _without(catalog: index.Catalog, name: str, version: str) -> index.Catalog:
    models: list[Model] = []
    for model in catalog.models:
        left = tuple(one for one in model.releases if (model.name, one.version) != (name, version))
        models += [dataclasses.replace(model, releases=left)] if left else []
    return index.Catalog(tuple(models))
