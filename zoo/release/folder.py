"""A release folder on this machine: its key, and how it is found, read and signed."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext, plainfiles
from catalog.recipe import build, plain
from catalog.release import Location, Model, Release, Repository
from catalog.shapes import shaped
from catalog.versions import preference
from zoo.files.digests import digest, pretty_json, sha256_file
from zoo.files.listing import FileRecord
from zoo.files.locks import locked
from zoo.files.whole import write_atomic
from zoo.judge import gates
from zoo.plan.plan import Plan
from zoo.release import cards, news, provenance
from zoo.release.facts import Smoked, smoke_faults
from zoo.settings import Settings

VERSION = 10
"""Raise this if the same artifacts give a different release folder."""

RECORD = "release.json"
NOWHERE = Location("", Repository("", "0" * 40, ""), None)
"""Stands for the place on a hub until there is one."""
KEPT = ".published"
"""Folder next to the release folders with published ones that another build of the same version took the place of."""


class _Smoke(Smoked):
    answers: list[object]


@dataclass(frozen=True)
class ReleaseFolder:
    """A release on this machine. ``release.location`` is NOWHERE; dataset_files are empty without a dataset."""

    folder: Path
    key: str
    model: Model
    release: Release
    verdicts: tuple[gates.Verdict, ...]
    model_files: tuple[FileRecord, ...]
    dataset_files: tuple[FileRecord, ...]

    @property
    def has_dataset(self) -> bool:
        return bool(self.dataset_files)

    def smoke_faults(self, type_: str) -> str:
        """What the smoke test of a file found wrong, from the evidence; "" if that cannot be read."""
        try:
            files = shaped(jsontext.read(self.folder / "model/evidence/smoke.json"), dict[str, _Smoke])
            return smoke_faults(files[type_])
        except (OSError, ValueError, KeyError):
            return ""


def key_of(plan: Plan, settings: Settings) -> str:
    """Identity of the release folder: plan, namespace that the cards name, templates, and the version before it."""
    told = {
        "plan": plan.key,
        "version": VERSION,
        "namespace": settings.namespace,
        "templates": dict(cards.template_texts()),
        "before": news.identity(plan.name, plan.version, settings),
    }
    return digest(told)


def find(plan: Plan, settings: Settings) -> ReleaseFolder | None:
    """The release folder of this plan, also a kept one, if it exists and every file has its recorded size."""
    key = key_of(plan, settings)
    for folder in folders(settings.releases, plan.name, plan.version):
        if (found := load(folder)) and found.key == key:
            return found
    return None


def as_built(name: str, version: str, recipe_sha256: str, settings: Settings) -> ReleaseFolder | None:
    """The release folder of this very recipe, whatever machine built it, or None. Its key is not compared, because it
    depends on the packages and the processor of that machine. Its files must name the namespace of the settings."""
    for folder in folders(settings.releases, name, version):
        found = load(folder)
        if found and found.release.recipe.sha256 == recipe_sha256 and _names(found, settings.namespace):
            return found
    return None


def _names(release: ReleaseFolder, namespace: str) -> bool:
    """Whether a release is for a namespace: its provenance or its card names it. The card of a model without a dataset
    does not."""
    for path, name in ((provenance.STATEMENT, f'"{namespace}/'), ("README.md", f"{namespace}/")):
        with contextlib.suppress(OSError, ValueError):
            if name in plainfiles.read_text(release.folder / "model" / path):
                return True
    return False


def folders(releases: Path, name: str, version: str) -> list[Path]:
    """Where copies of a version may be: its release folder, then those that were kept, newest first."""
    own = releases / name / version
    kept = [path.parent for path in (own.parent / KEPT).glob(f"{version}-*/{RECORD}")]
    return [own, *sorted(kept, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)]


def built_versions(releases: Path, name: str) -> list[str]:
    """Versions of a model with a release folder, oldest first; journals and other files next to them are ignored."""
    if not name or "/" in name:
        return []
    names = [path.parent.name for path in (releases / name).glob(f"*/{RECORD}")]
    return sorted((n for n in names if re.match(r"[0-9]+\.[0-9]+\.[0-9]+(-|\Z)", n)), key=preference)


def bare(release: Release) -> Release:
    """The release without its places, as a release folder records it."""
    return dataclasses.replace(release, location=NOWHERE, mirrors=None)


class _Record(TypedDict):
    key: str
    model: dict[str, object]
    release: dict[str, object]
    verdicts: list[gates.Verdict]
    files: dict[str, list[FileRecord]]


def load(folder: Path) -> ReleaseFolder | None:
    """The release in ``folder``, or None if there is none or a file is missing or of another size."""
    try:
        data = shaped(jsontext.read((folder / RECORD), bounded=False), _Record)
        release = build(Release, {**data["release"], "location": plain(NOWHERE)})
        model = build(Model, {**data["model"], "releases": []})
        verdicts = tuple(data["verdicts"])
        parts = {part: tuple(data["files"][part]) for part in ("model", "dataset")}
        for part, files in parts.items():
            if any((folder / part / file.path).stat().st_size != file.size_bytes for file in files):
                return None
        return ReleaseFolder(folder, data["key"], model, release, verdicts, parts["model"], parts["dataset"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def with_signatures(release: ReleaseFolder) -> ReleaseFolder:
    """The release after ``model.sig`` was written into its folders: its record lists them, so they are published."""
    path = release.folder / RECORD
    with locked(release.folder.with_name(f".{release.release.version}.lock")):
        data = shaped(jsontext.read(path, bounded=False), dict[str, object])
        lists = shaped(data["files"], dict[str, list[FileRecord]])
        for part in ("model", "dataset"):
            signature = release.folder / part / provenance.SIGNATURE
            if signature.is_file():
                size, name = signature.stat().st_size, provenance.SIGNATURE
                others = [file for file in lists[part] if file.path != name]
                lists[part] = sorted([*others, FileRecord(name, size, sha256_file(signature))])
        data["files"] = {part: [vars(file) for file in files] for part, files in lists.items()}
        write_atomic(path, pretty_json(data))
    found = load(release.folder)
    assert found
    return found
