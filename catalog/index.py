"""model_catalog.json: the record of everything published. Pure, sorted, no clock; text that diffs well."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass

from catalog import jsonplaces, jsontext, schema
from catalog.problems import Problem, instead_of, show
from catalog.recipe import build, plain
from catalog.release import Correction, Location, Model, Release, Repository, Reproduction
from catalog.versions import preference, version_key
from catalog.yamltext import Document

SCHEMA = "model-catalog/1"


@dataclass(frozen=True)
class Catalog:
    """All models, sorted by name."""

    models: tuple[Model, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all models."""
        return tuple(model.name for model in self.models)

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)

    def release(self, name: str, version: str) -> Release | None:
        model = self.model(name)
        return model.release(version) if model else None


EMPTY = Catalog(())
LIST = "zoo catalog"
"""The command that lists every model of a catalog."""


def absent(names: Iterable[str], name: str, command: str = LIST) -> tuple[str, str]:
    """That a catalog, which has ``names``, has no model ``name``, and what to do. command: lists all of its models, ""
    for none."""
    more = f"All models: {command}" if command else ""
    nothing = "The catalog is empty. Make the first release with: zoo release NAME"
    return f"the catalog has no model {name!r}", instead_of(name, names, nothing, more)


class CatalogConflict(ValueError):
    """The version already exists with different content."""


def parse(text: str, shown_as: str) -> tuple[Catalog, list[Problem]]:
    """The catalog in JSON text, or its problems. A catalog with problems comes back empty."""
    try:
        data = jsontext.parse(text, unique=True)
    except jsontext.NotJson as error:
        instead = error.solve or "Restore the file from version control. Only zoo writes it"
        what = f"not valid JSON: {error.what}"
        return EMPTY, [Problem(shown_as, error.line, error.column, "", what, instead)]
    found, models = _judged(Document(shown_as, data))
    if found:
        # Places are computed only for a file with problems; most files have none.
        return EMPTY, _judged(jsonplaces.document(text, shown_as, data))[0]
    return Catalog(models), []


def _judged(document: Document) -> tuple[list[Problem], tuple[Model, ...]]:
    found = schema.problems(document, "catalog-v1")
    if found:
        return found, ()
    models = build(Catalog, document.data).models
    return _order_problems(models, document), models


def to_text(catalog: Catalog) -> str:
    """The one text of a catalog."""
    data = {"schema": SCHEMA, "models": [plain(model) for model in catalog.models]}
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def with_release(catalog: Catalog, model: Model, release: Release) -> Catalog:
    """The catalog with one more release. ``model`` gives the text; its own releases are ignored.

    The same release again changes nothing. Raises CatalogConflict if the version exists with different content.
    """
    known = catalog.model(model.name)
    releases = known.releases if known else ()
    for other in releases:
        if other.version == release.version:
            if other == release:
                return catalog
            if other == _pinned_as(other, release):
                # An older record gets the digests that it lacks.
                releases = tuple(one for one in releases if one is not other)
                continue
            raise CatalogConflict(f"{model.name} {release.version} is in the catalog with different content")
    merged = tuple(sorted((*releases, release), key=lambda r: version_key(r.version), reverse=True))
    # A release candidate or a backport does not change what people read about the model.
    words = model if not known or max(merged, key=lambda r: preference(r.version)) == release else known
    history = known or model
    entry = dataclasses.replace(
        words,
        releases=merged,
        yanks=history.yanks,
        reproductions=history.reproductions,
        former_names=history.former_names,
        corrections=history.corrections,
    )
    others = [m for m in catalog.models if m.name != model.name]
    return Catalog(tuple(sorted((*others, entry), key=lambda m: m.name)))


def with_place(catalog: Catalog, name: str, version: str, place: Location, *, mirror: bool) -> Catalog:
    """The catalog with one more mirror of a version, or with ``place`` as its place; nothing else changes.

    A location in the same repositories is replaced. Raises KeyError for an unknown model or version.
    """
    model, known = catalog.model(name), catalog.release(name, version)
    if model is None or known is None:
        raise KeyError(f"{name}@{version}")
    others = [one for one in known.mirrors or () if not _same_repositories(one, place)]
    if mirror:
        at = next((i for i, one in enumerate(known.mirrors or ()) if _same_repositories(one, place)), len(others))
        others.insert(at, place)
    location = known.location if mirror else place
    entry = dataclasses.replace(known, location=location, mirrors=tuple(others) or None)
    releases = tuple(entry if one.version == version else one for one in model.releases)
    changed = dataclasses.replace(model, releases=releases)
    return Catalog(tuple(changed if other.name == name else other for other in catalog.models))


def with_access(catalog: Catalog, name: str, place: Location) -> Catalog:
    """The catalog in which every version in the repositories of ``place`` is as open as ``place`` is: a hub knows who
    may read a repository, not a version. Raises KeyError for an unknown model."""
    model = catalog.model(name)
    if model is None:
        raise KeyError(name)

    def opened(one: Location) -> Location:
        return dataclasses.replace(one, access=place.access) if _same_repositories(one, place) else one

    releases = tuple(
        dataclasses.replace(
            one, location=opened(one.location), mirrors=one.mirrors and tuple(map(opened, one.mirrors))
        )
        for one in model.releases
    )
    if releases == model.releases:
        return catalog
    changed = dataclasses.replace(model, releases=releases)
    return Catalog(tuple(changed if other.name == name else other for other in catalog.models))


def _same_repositories(one: Location, other: Location) -> bool:
    return (one.hub, one.model.name) == (other.hub, other.model.name)


def _pinned_as(other: Release, release: Release) -> Release:
    """The release with only those digests of its place that an older record has."""
    place, known = release.location, other.location
    data = place.dataset and known.dataset and _as_known(place.dataset, known.dataset)
    there = dataclasses.replace(place, model=_as_known(place.model, known.model), dataset=data or place.dataset)
    return dataclasses.replace(release, location=there)


def _as_known(place: Repository, known: Repository) -> Repository:
    return dataclasses.replace(
        place,
        manifest_sha256=known.manifest_sha256 and place.manifest_sha256,
        signature_sha256=known.signature_sha256 and place.signature_sha256,
    )


def with_reproduction(catalog: Catalog, name: str, entry: Reproduction) -> Catalog:
    """The catalog with one more reproduction of a version of ``name``; adding the same entry again changes nothing.

    Raises KeyError for an unknown model or version.
    """
    model = catalog.model(name)
    if model is None or catalog.release(name, entry.version) is None:
        raise KeyError(f"{name}@{entry.version}")
    if entry in model.reproductions:
        return catalog
    changed = dataclasses.replace(model, reproductions=(*model.reproductions, entry))
    return Catalog(tuple(changed if other.name == name else other for other in catalog.models))


def with_correction(catalog: Catalog, words: Model, entry: Correction) -> Catalog:
    """The catalog with one more correction of a card; adding the same entry again changes nothing.

    ``words`` gives the model's text, if the version is the one that readers get by default. Raises KeyError for an
    unknown model or version.
    """
    model = catalog.model(words.name)
    if model is None or model.release(entry.version) is None:
        raise KeyError(f"{words.name}@{entry.version}")
    if entry in (model.corrections or ()):
        return catalog
    changed = dataclasses.replace(model, corrections=(*(model.corrections or ()), entry))
    if model.preferred()[0].version == entry.version:
        changed = dataclasses.replace(
            changed, summary=words.summary, task=words.task, owners=words.owners, good_at=words.good_at,
            bad_at=words.bad_at, maturity=words.maturity, source_notes=words.source_notes,
        )  # fmt: skip
    return Catalog(tuple(changed if other.name == words.name else other for other in catalog.models))


def _order_problems(models: tuple[Model, ...], document: Document) -> list[Problem]:
    names = [model.name for model in models]
    found = []
    if names != sorted(set(names)):
        found.append(
            document.problem(
                ("models",),
                "the models are not sorted by name, or one is listed twice",
                "Restore the file from version control. Only zoo writes it",
            )
        )
    for index, model in enumerate(models):
        keys = [version_key(r.version) for r in model.releases]
        if any(a <= b for a, b in itertools.pairwise(keys)):
            path = ("models", index, "releases")
            found.append(
                document.problem(
                    path,
                    "the releases are not sorted from newest to oldest, or a version is listed twice",
                    "Restore the file from version control. Only zoo writes it",
                )
            )
        versions = {release.version for release in model.releases}
        for number, event in enumerate(model.yanks):
            if event.version not in versions:
                what = f"version {show(event.version)} is yanked but was never released"
                where = ("models", index, "yanks", number)
                found.append(document.problem(where, what, "Restore the file from version control. Only zoo writes it"))
    return found
