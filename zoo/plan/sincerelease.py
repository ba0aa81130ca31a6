"""Sources and texts that changed: since they were pinned, or since the recipe's version was published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from catalog import dataplaces
from catalog.checks import CheckedRecipe
from catalog.problems import Problem, show
from catalog.recipe import Recipe, Source
from catalog.release import Release
from zoo.errors import ModelFileError, SourceError
from zoo.modelfolder.files import listed
from zoo.modelfolder.weights import shards_of
from zoo.progress import Silent
from zoo.sources import resolve

MOST_BYTES = 32_000_000
"""Of a source that is read completely here; the import reads every one."""


def changed_since_pinned(checked: CheckedRecipe, root: Path, work: Path) -> Iterator[Problem]:
    """Sources on this machine that differ from their pin; of large ones only the size is compared.

    work: the work folder.
    """
    document = checked.document
    for role, source in _sources(checked.recipe):
        pin = source.sha256 or checked.lock.sha256(source.source)
        path = resolve.locate(source.source, root, work)
        if pin and path is not None and _differs(path, pin, source, checked, root):
            what = f"{show(source.source)} is not the one that is pinned (sha256 {pin[:12]}...)"
            first = "delete its `sha256:`, " if source.sha256 else ""
            instead = f"Restore it. To use the new one, {first}run `zoo lock {checked.file}` and raise the version"
            yield document.problem((role, "source"), what, instead)


def changed_since_release(checked: CheckedRecipe, release: Release) -> Iterator[Problem]:
    """Sources and texts with other digests than those that this version was released from."""
    recipe, document = checked.recipe, checked.document
    if recipe is None:
        return
    instead = "Raise the version: a published one never changes"
    before = {(one.role, one.source): one.sha256 for one in release.lineage}
    for role, source in _sources(recipe):
        then, now = before.get((role, source.source)), source.sha256 or checked.lock.sha256(source.source)
        if then and now and then != now:
            what = f"{recipe.version} is published, from another {role} than this {show(source.source)}"
            yield document.problem((role, "source"), what, instead)
    for role, files in recipe.data.items():
        for index, file in enumerate(files):
            then = before.get((role, f"{file.path} ({file.source})"))
            if then and file.path in checked.files and then != checked.files[file.path].sha256:
                what = f"{recipe.version} is published, and {file.path} has changed since"
                yield document.problem((*dataplaces.PLACES[role], index, "path"), what, instead)


def _sources(recipe: Recipe | None) -> Iterator[tuple[str, Source]]:
    for role in ("student", "teacher"):
        if recipe and (source := getattr(recipe, role)):
            yield role, source


def _differs(path: Path, pin: str, source: Source, checked: CheckedRecipe, root: Path) -> bool:
    try:
        if path.is_file():
            locked = checked.lock.pins.get(source.source)
            size = path.stat().st_size
            if locked and source.sha256 is None and locked.files[0].size_bytes != size:
                return True
        else:
            size = sum(one.stat().st_size for one in listed(path, root, shards_of(path)).values())
        if size <= MOST_BYTES:
            resolve.verify(path, pin, source.source, Silent(), root)
    except SourceError:
        return True
    except (ModelFileError, OSError):
        return False  # reported as what it is elsewhere
    return False
