"""Files of a folder hub that the site carries itself, so that visitors can download, pull and try them.

Below ``download/NAME/VERSION/`` are the model files up to a size, the small files of the release, and ``files.json``:
the list of the commit's files, which ``zoo pull --from`` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import entries
from catalog.paths import unsafe_reason
from catalog.release import Release
from zoo.choose import pick
from zoo.errors import Damaged, InputError
from zoo.files import filelist
from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord
from zoo.files.whole import place_file
from zoo.hub import FolderHub
from zoo.hub.located import hub_of_settings
from zoo.progress import Reporter
from zoo.settings import Settings
from zoo.site import content, state
from zoo.site.pages.runit import carried_path, is_in_folder
from zoo.site.state import Part

MEGA = 1_000_000
SMALL_BYTES = 1 << 20
"""Other files of a release up to this size are carried: those that ``zoo pull`` takes too."""


@dataclass(frozen=True)
class Wanted:
    """What the site carries: its address from the site's root -> the file in the hub, or the text of a list."""

    files: Mapping[str, Path]
    lists: Mapping[str, str]

    @property
    def paths(self) -> frozenset[str]:
        """Every address."""
        return frozenset((*self.files, *self.lists))


def wanted(settings: Settings, most_megabytes: float) -> Wanted:
    """What to carry of the current releases. most_megabytes: how large model files may be; 0 for none of them."""
    hub = hub_of_settings(settings) if most_megabytes else None
    files: dict[str, Path] = {}
    lists: dict[str, str] = {}
    if not isinstance(hub, FolderHub):
        return Wanted(files, lists)
    for text in content.pieces(settings):
        model = entries.model(text)
        release = pick.current(model) if model else None
        # A site that everybody reads carries nothing that not everybody may read.
        if model is None or release is None or not is_in_folder(release):
            continue
        found = dict(_model_files(hub, model.name, release, most_megabytes * MEGA))
        tree = _tree(hub, release) if found else {}
        files |= found | dict(_small_files(hub, model.name, release, tree))
        if tree:
            listed = [vars(one) for _, one in sorted(tree.items())]
            lists[carried_path(model.name, release.version, filelist.TREE)] = pretty_json({"files": listed})
    return Wanted(files, lists)


def put(
    some: Wanted, old: Mapping[str, Part], settings: Settings, new: Path, report: Reporter, most_megabytes: float
) -> Part:
    """Put them into ``new``; returns one part, which remembers ``most_megabytes``."""
    stamps = [state.stamp(str(path)) for path in some.files.values()]
    key = hashlib.sha256(repr((some, stamps, most_megabytes)).encode()).hexdigest()
    known = old.get("carried")
    if known and state.take_over(known, key, settings.site.resolve(), new):
        return known
    for path, source in some.files.items():
        place_file(source, new / path)
    written = content.write_files(new, some.lists)
    if some.files:
        models = len(some.lists) or 1
        report.say(f"{len(some.files)} files of {models} releases are part of the site; visitors can download them")
    part = Part(key, {**written, **state.stamps(new, some.files)})
    return state.with_facts(part, {"most_megabytes": most_megabytes})


def most_megabytes(part: Part) -> float | None:
    """What ``put`` was given; None for a part of an older program."""
    found = part.fact("most_megabytes") if "most_megabytes" in part.facts else None
    return float(found) if isinstance(found, int | float) else None


def _model_files(hub: FolderHub, name: str, release: Release, most_bytes: float) -> Iterator[tuple[str, Path]]:
    for file in release.files:
        source = _object(hub, file.sha256)
        if not unsafe_reason(file.path) and file.size_bytes <= most_bytes and source.is_file():
            yield carried_path(name, release.version, file.path), source


def _small_files(
    hub: FolderHub, name: str, release: Release, tree: Mapping[str, FileRecord]
) -> Iterator[tuple[str, Path]]:
    """Card, recipe, licences, manifest and signatures: the top of the release without the model files."""
    models = {file.path for file in release.files}
    for path, one in tree.items():
        source = _object(hub, one.sha256)
        if "/" not in path and path not in models and one.size_bytes <= SMALL_BYTES and source.is_file():
            yield carried_path(name, release.version, path), source


def _tree(hub: FolderHub, release: Release) -> Mapping[str, FileRecord]:
    """The files of the release's commit; none if the hub has lost it."""
    place = release.location.model
    namespace, _, repository = place.name.partition("/")
    try:
        return hub.repo("model", namespace, repository).tree(place.commit)
    except (InputError, Damaged):
        return {}


def _object(hub: FolderHub, sha256: str) -> Path:
    return hub.folder / "objects" / sha256[:2] / sha256
