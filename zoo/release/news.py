"""What is new in a release: the maintainer's words, and the changes since the version before it in the catalog."""

from __future__ import annotations

from catalog import changes
from catalog.recipe import Recipe
from catalog.release import News, Release
from zoo import catalogfile
from zoo.errors import InputError
from zoo.files.digests import digest
from zoo.settings import Settings


def before(name: str, version: str, settings: Settings) -> Release | None:
    """The published version that this one is compared with."""
    model = catalogfile.read_model(settings, name)
    return changes.before(model.releases, version) if model else None


def identity(name: str, version: str, settings: Settings) -> str | None:
    """What the computed changes depend on, besides the release itself; None for a first version."""
    old = before(name, version, settings)
    if old is None:
        return None
    return digest([old.version, old.recipe.sha256, [file.sha256 for file in old.files]])


def of(recipe: Recipe, release: Release, settings: Settings) -> News | None:
    """What is new in this release."""
    return changes.news(recipe.notes, release, before(recipe.name, recipe.version, settings))


def message(name: str, release: Release) -> str:
    """What the commits and the tags of a release say."""
    return changes.message(f"{name} {release.version}", release.news)


def refuse_old_words(recipe: Recipe, file: str, settings: Settings) -> None:
    """Raises InputError if the notes are those of another published version: they were not written for this one."""
    model = catalogfile.read_model(settings, recipe.name)
    for release in model.releases if model and recipe.notes else ():
        if release.version != recipe.version and release.news and release.news.words == recipe.notes:
            raise InputError(
                f"the notes of {recipe.name} {recipe.version} are those of {release.version}",
                where=file,
                safe="Nothing was made.",
                remedy="Write under `notes:` what is new in this version, or delete the key",
            )
