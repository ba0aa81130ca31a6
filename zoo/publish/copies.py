"""Copies of published contents on this machine, by digest: release folders, the zoo's evidence, recorded recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from catalog.release import Model, Release
from catalog.shapes import shaped
from zoo.files import journal as journals
from zoo.files.digests import git_blob_sha1, sha256_file
from zoo.files.listing import FileRecord
from zoo.files.whole import write_atomic
from zoo.hub import Listed
from zoo.release import ReleaseFolder, kept, load
from zoo.release.folder import folders
from zoo.settings import Settings

_GIT_BYTES = 16 << 20


@dataclass
class Copies:
    """Where the contents of a model's releases may be. folders: the published release folders by version."""

    folders: dict[str, ReleaseFolder]
    _places: dict[str, list[Path]] = field(default_factory=dict)
    _git: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, settings: Settings, scratch: Path) -> Copies:
        """What is on this machine; nothing large is read yet. scratch: an empty folder for the recorded recipes."""
        copies = {one.version: kept.published(model.name, one, settings) for one in model.releases}
        found = cls({version: folder for version, folder in copies.items() if folder})
        for release in model.releases:
            # Most contents of another build, or of a damaged folder, may be the published ones too.
            for folder in filter(None, map(load, folders(settings.releases, model.name, release.version))):
                for part, files in (("model", folder.model_files), ("dataset", folder.dataset_files)):
                    for file in files:
                        found._add(file.sha256, folder.folder / part / file.path)
        for release in model.releases:
            for sha256, path in _of_catalog(model, release, settings, scratch):
                found._add(sha256, path)
        return found

    def find(self, file: Listed) -> tuple[Path, str] | None:
        """A copy of a listed file that has its digest now, and its sha256. The copy is read."""
        sha256 = file.sha256 or self._by_git(file)
        for path in self._places.get(sha256 or "", ()):
            if path.is_file() and sha256_file(path) == sha256:
                return path, str(sha256)
        return None

    def _add(self, sha256: str, path: Path) -> None:
        self._places.setdefault(sha256, []).append(path)

    def _by_git(self, file: Listed) -> str | None:
        """The sha256 of a copy with git's digest of a small file."""
        if not self._git and file.size_bytes <= _GIT_BYTES:
            for sha256, paths in self._places.items():
                for path in paths:
                    if path.is_file() and path.stat().st_size <= _GIT_BYTES:
                        self._git[git_blob_sha1(path.read_bytes())] = sha256
        return self._git.get(file.git_sha1 or "")

    def record(self, version: str, kind: str) -> tuple[FileRecord, ...]:
        """The files of a repository as this machine released them; empty without the release folder."""
        folder = self.folders.get(version)
        return () if folder is None else folder.model_files if kind == "model" else folder.dataset_files

    def parents(self, version: str) -> list[str]:
        """Commits that those of a version may follow: what its publication on this machine noted."""
        folder = self.folders.get(version)
        if folder is None:
            return []
        noted = journals.read(folder.folder.with_name(f"{folder.folder.name}.journal.jsonl"), _parent)
        return sorted({one for one in noted if one})


def _parent(entry: object) -> str | None:
    """The commit that a line of a publication's journal names as the parent of the next one."""
    told = shaped(entry, dict[str, object])
    return str(told["parent"]) if told.get("parent") else None


def _of_catalog(model: Model, release: Release, settings: Settings, scratch: Path) -> Iterator[tuple[str, Path]]:
    evidence = settings.evidence / model.name / release.version
    for file in release.evidence:
        yield file.sha256, evidence / file.path
    for one in model.corrections or ():
        if one.version == release.version:
            yield one.card_sha256, evidence / one.evidence
    recipe = scratch / release.version
    raw = release.recipe.text.encode()
    write_atomic(recipe, raw)
    yield hashlib.sha256(raw).hexdigest(), recipe
