"""The releases that this repository records: what git keeps of them, and their files made or restored from that.

git has the catalog, the evidence, and in ``published/NAME/VERSION`` the small files of each release. Weights are never
in git: they are found by digest in a folder, or made again by the recipes, and accepted only if every byte is the same.

    python scripts/recorded.py begin                 an empty catalog, to record the releases again (make record)
    python scripts/recorded.py keep                  keep the small files of what was released since
    python scripts/recorded.py restore FOLDER        the folder hub again, with the weights that FOLDER has
    python scripts/recorded.py restore FOLDER --make and make those that it has not

``restore`` exits with 1 if weights of the size that the site carries are missing and ``--make`` was not given.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import index, jsontext
from catalog.release import Release, Repository
from catalog.shapes import shaped
from zoo import settings as settings_room
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.listing import FileRecord
from zoo.files.whole import place_file
from zoo.hub import BRANCH, FolderHub, FolderRepo
from zoo.pull.accounts import read_manifest
from zoo.settings import Settings

KEPT = "published"
WEIGHTS = ".gguf"
EVIDENCE = "evidence/"
DEMO = "build/demo/build/releases"
MEGA = 1_000_000
OTHER_BYTES = "built here they have other bytes than the recorded ones, as trained weights have on another processor"


class _Commit(TypedDict):
    parent: str | None
    message: str


@dataclass(frozen=True)
class Place:
    """A commit of a release. kept: the folder of its small files in git; evidence: that of its evidence. weights: the
    model files by digest, with their sizes in bytes."""

    name: str
    version: str
    repository: Repository
    repo: FolderRepo
    kept: Path
    evidence: Path
    weights: dict[str, int]

    def records(self) -> list[FileRecord]:
        """The files of the commit, by the kept manifest and what it cannot list."""
        manifest = read_manifest((self.kept / "MANIFEST.json").read_bytes())
        assert manifest, self.kept
        here = (path for path in sorted(self.kept.rglob("*")) if path.is_file())
        own = {path.relative_to(self.kept).as_posix(): path for path in here}
        more = [FileRecord(name, path.stat().st_size, sha256_file(path)) for name, path in own.items()]
        return sorted({**{one.path: one for one in more}, **manifest.files}.values(), key=lambda one: one.path)

    @property
    def note(self) -> Path:
        """What the commit says besides its files."""
        return self.kept.with_suffix(".json")

    def source(self, path: str) -> Path:
        """Where git has a small file."""
        if path.startswith(EVIDENCE):
            return self.evidence / path.removeprefix(EVIDENCE)
        return self.kept / path


def places(settings: Settings) -> Iterator[Place]:
    """Every commit in the folder hub that the catalog names; of a model the oldest first."""
    found, problems = index.parse(settings.catalog.read_text(encoding="utf-8"), settings.catalog.name)
    assert not problems, problems
    hub = FolderHub(settings.folder("hub"))
    for model in found.models:
        for release in reversed(model.releases):
            if release.location.hub == "folder":
                yield from _places(settings, hub, model.name, release)


def _places(settings: Settings, hub: FolderHub, name: str, release: Release) -> Iterator[Place]:
    for kind, one in (("model", release.location.model), ("dataset", release.location.dataset)):
        if one:
            namespace, _, repository = one.name.partition("/")
            kept = settings.root / KEPT / name / release.version / kind
            evidence = settings.evidence / name / release.version
            weights = {file.sha256: file.size_bytes for file in release.files} if kind == "model" else {}
            yield Place(name, release.version, one, hub.repo(kind, namespace, repository), kept, evidence, weights)


def begin(settings: Settings) -> None:
    """Empty what is recorded; the hub of before is moved aside, because it may be the only copy."""
    hub = settings.folder("hub")
    if hub.exists():
        number = next(n for n in range(1, 1000) if not hub.with_name(f"{hub.name}.{n}").exists())
        hub.rename(hub.with_name(f"{hub.name}.{number}"))
    settings.catalog.write_text(index.to_text(index.EMPTY), encoding="utf-8")
    for folder in (settings.evidence, settings.releases, settings.root / KEPT):
        shutil.rmtree(folder, ignore_errors=True)


def keep(settings: Settings) -> None:
    """Copy the small files of each commit to the folder that git has."""
    for place in places(settings):
        shutil.rmtree(place.kept, ignore_errors=True)
        for file in place.repo.tree(place.repository.commit).values():
            if file.path.startswith(EVIDENCE) or file.path.endswith(WEIGHTS):
                continue
            target = place.kept / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with place.repo.open(place.repository.commit, file.path) as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)
        body = place.repo.body(place.repository.commit)
        told: _Commit = {"parent": body["parent"], "message": body["message"]}
        place.note.write_text(pretty_json(told), encoding="utf-8")
        print(f"kept: {place.kept.relative_to(settings.root)}")


def restore(settings: Settings, folder: Path, make: bool) -> int:
    """Fill the folder hub. FOLDER ends up with the wanted weights and nothing else, each named by its digest."""
    every = list(places(settings))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        sha256: place.name
        for place in every
        for sha256, size in place.weights.items()
        if size <= settings.site_files_mb * MEGA
    }
    for path in folder.iterdir():
        if path.name not in wanted or sha256_file(path) != path.name:
            path.unlink()
    missing = _missing(wanted, folder)
    if missing and make:
        _take(settings, wanted, folder)
        names = sorted(set(_missing(wanted, folder).values()))
        if names:
            print(f"Made by their recipes now, once: {', '.join(names)}. Each says what it costs.", file=sys.stderr)
        for name in names:
            zoo = [sys.executable, "-m", "zoo", "build", name]
            subprocess.run(zoo, cwd=settings.root, check=True)
        _take(settings, wanted, folder)
    missing = _missing(wanted, folder)
    for place in every:
        _fill(place, folder)
    for name in sorted(set(missing.values())):
        count = sum(one == name for one in missing.values())
        why = OTHER_BYTES if make else "this machine does not have them"
        _warn(f"files of {name} are missing: {count} ({why}), so the site does not offer them")
    print(f"restored: {len(wanted) - len(missing)} of {len(wanted)} weights, {len(every)} commits")
    return 1 if missing and not make else 0


def _warn(sentence: str) -> None:
    """On the page of a workflow's run, or for a person."""
    mark = "::warning::" if os.environ.get("GITHUB_ACTIONS") == "true" else "warning: "
    print(f"{mark}{sentence}", file=sys.stderr)


def _missing(wanted: dict[str, str], folder: Path) -> dict[str, str]:
    return {sha256: name for sha256, name in wanted.items() if not (folder / sha256).is_file()}


def _take(settings: Settings, wanted: dict[str, str], folder: Path) -> None:
    """Weights that were built here, also by ``make demo``, and have the recorded bytes."""
    for built in (settings.releases, settings.root / DEMO):
        for path in sorted(built.rglob(f"*{WEIGHTS}")):
            sha256 = sha256_file(path)
            if sha256 in wanted and not (folder / sha256).is_file():
                place_file(path, folder / sha256)


def _fill(place: Place, folder: Path) -> None:
    records, commit = place.records(), place.repository.commit
    for one in records:
        source = folder / one.sha256 if one.path.endswith(WEIGHTS) else place.source(one.path)
        if source.is_file():
            place.repo.put(source, one.sha256, lambda _: None)
    place.repo.folder.mkdir(parents=True, exist_ok=True)
    told = shaped(jsontext.read(place.note), _Commit)
    parents = [told["parent"]] if told["parent"] else []
    if not place.repo.restore_commit(commit, records, told["message"], parents):
        raise SystemExit(f"{place.kept} does not give commit {commit}: restore it from version control")
    place.repo.restore_branch(BRANCH, commit)
    place.repo.tag(place.repository.tag, commit)


def main(words: Sequence[str]) -> int:
    """See the module."""
    settings = settings_room.load(Path.cwd(), {}, os.environ)
    if words == ["begin"]:
        begin(settings)
    elif words == ["keep"]:
        keep(settings)
    elif len(words) >= 2 and words[0] == "restore" and words[2:] in ([], ["--make"]):
        return restore(settings, Path(words[1]), make=words[-1] == "--make")
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
