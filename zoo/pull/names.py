"""NAME[@VERSION][:QUANT]: which version and which file it means. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from catalog import yanks
from catalog.index import Catalog, absent
from catalog.problems import instead_of
from catalog.release import Model, ModelFile, Release, YankEvent
from catalog.versions import is_prerelease
from zoo.errors import GateRefused, InputError


@dataclass(frozen=True)
class Wish:
    """What the user wrote; empty texts for parts that were left out."""

    name: str
    version: str
    quant: str


@dataclass(frozen=True)
class Chosen:
    """The chosen version. notes: what a person should know about the choice. yank: it is yanked, and allowed."""

    model: Model
    release: Release
    yank: YankEvent | None
    notes: tuple[str, ...]


class Yanked(GateRefused):
    """The version was yanked."""


def parse(text: str) -> Wish:
    """Raises InputError for a text that is not a valid name."""
    rest, _, quant = text.partition(":")
    name, at, version = rest.partition("@")
    if not name or (at and not version) or (":" in text and not quant) or "/" in name:
        raise InputError(
            f"{text!r} is not a model name",
            remedy="Write NAME, NAME@VERSION, NAME:QUANT or NAME@VERSION:QUANT",
        )
    return Wish(name, version, quant)


def choose(catalog: Catalog, wish: Wish, allow_yanked: bool = False, pre: bool = False) -> Chosen:
    """The version of a request: the newest that is not yanked, unless one is named.

    pre: a pre-release counts like any other version; else it is chosen only if no stable version is in use.

    Raises InputError when there is none of this name, Yanked when it is yanked.
    """
    model, notes = _model(catalog, wish.name)
    if not wish.version:
        for release in model.releases if pre else model.preferred():
            yank = model.yank_of(release.version)
            if yank is None or allow_yanked:
                return Chosen(model, release, yank, (*notes, *_about(release, pre)))
            notes.append(f"{release.version} is yanked: {yank.reason}")
        raise Yanked(
            "\n".join([f"every version of {model.name} is yanked", *(f"  {note}" for note in notes)]),
            safe="Nothing was downloaded.", remedy="To download the newest one anyway, add --allow-yanked",
        )  # fmt: skip
    release_ = next((r for r in model.releases if r.version == wish.version), None)
    if release_ is None:
        versions = ", ".join(r.version for r in model.releases)
        raise InputError(
            f"the catalog has no version {wish.version!r} of {model.name}", remedy=f"Available: {versions}"
        )
    yank = model.yank_of(wish.version)
    if yank and not allow_yanked:
        severity = f" (severity {yank.severity})" if yank.severity else ""
        target = yanks.replacement_now(catalog, yank)
        file = f":{wish.quant}" if wish.quant else ""
        instead = f"Use its replacement: zoo pull {target}{file}. " if target else ""
        raise Yanked(
            f"{model.name} {wish.version} was yanked on {yank.date}{severity}: {yank.reason}",
            safe="Nothing was downloaded.",
            remedy=f"{instead}To download it anyway, add --allow-yanked",
        )
    return Chosen(model, release_, yank, tuple(notes))


def _about(release: Release, pre: bool) -> list[str]:
    """What to know about a version that nobody named."""
    if pre or not is_prerelease(release.version):
        return []
    return [f"{release.version} is a pre-release; no stable version is in use"]


def file_of(release: Release, quant: str) -> ModelFile:
    """The file of a quant's name, in any case of letters, or of a file's own name. Raises InputError."""
    for file in release.files:
        if quant.casefold() in (file.type.casefold(), file.path.casefold()):
            return file
    types = [file.type for file in release.files]
    raise InputError(f"version {release.version} has no file {quant!r}", remedy=instead_of(quant, types))


def _model(catalog: Catalog, name: str) -> tuple[Model, list[str]]:
    if (found := catalog.model(name)) and found.releases:
        return found, []
    for model in catalog.models:
        if name in model.former_names and model.releases:
            return model, [f"{name} is now called {model.name}"]
    # It may be another zoo's catalog, which no command here lists.
    what, remedy = absent(catalog.names, name, command="")
    raise InputError(what, remedy=remedy)
