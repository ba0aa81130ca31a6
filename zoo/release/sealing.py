"""Provenance of a release, for programs, and the list of all files of a repository with their digests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict

from catalog.recipe import Recipe
from catalog.release import Model, Release
from zoo.files.digests import pretty_json
from zoo.files.filelist import MANIFEST, SUMS, sums_text
from zoo.files.listing import records
from zoo.files.whole import write_atomic
from zoo.release import provenance
from zoo.release.folder import key_of
from zoo.release.material import Material
from zoo.release.provenance.bom import bom
from zoo.release.provenance.builder import builder_id
from zoo.release.provenance.statement import Build, statement


class ManifestFile(TypedDict):
    """A file as MANIFEST.json lists it."""

    path: str
    size_bytes: int
    sha256: str


class Manifest(TypedDict):
    """MANIFEST.json: every file of a repository but itself, the sums and signatures."""

    name: str
    version: str
    files: list[ManifestFile]


def write_provenance(material: Material, out: Path, model: Model, release: Release) -> None:
    """Write the statement and the bill of materials into ``model/`` of ``out``."""
    folder, publish, namespace = out / "model", material.recipe.publish, material.settings.namespace
    subjects = {f"{namespace}/{publish.model}": records(folder)}
    if release.dataset and publish.dataset:
        subjects[f"{namespace}/{publish.dataset}"] = records(out / "dataset")
    steps = [{"id": step.id, "stage": step.stage, "key": step.key} for step in material.plan.steps]
    key = key_of(material.plan, material.settings)
    builder = builder_id(material.settings.text("builder"), os.environ)
    revisions = {uri: pin.revision for uri, pin in material.checked.lock.pins.items() if pin.revision}
    told = statement(release, model.name, subjects, Build(steps, builder, key, revisions))
    write_atomic(folder / provenance.STATEMENT, pretty_json(told))
    write_atomic(folder / provenance.BOM, bom(model, release, namespace, key))


def seal(recipe: Recipe, folder: Path) -> None:
    """Write MANIFEST.json and SHA256SUMS over everything else in the folder."""
    found = records(folder)
    manifest: Manifest = {
        "name": recipe.name,
        "version": recipe.version,
        "files": [{"path": f.path, "size_bytes": f.size_bytes, "sha256": f.sha256} for f in found],
    }
    write_atomic(folder / MANIFEST, pretty_json(manifest))
    write_atomic(folder / SUMS, sums_text(found))
