"""Release folders of published versions that another build of the same version took the place of. They are renamed, not
deleted: only the published bytes can repair a hub or fill a mirror.

RELEASES/NAME/.published/VERSION-DIGEST/    such a folder; DIGEST is the start of its manifest's sha256
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from catalog.release import Release
from zoo import catalogfile
from zoo.files.digests import sha256_file
from zoo.files.filelist import MANIFEST
from zoo.files.locks import locked
from zoo.files.whole import fsync
from zoo.release.folder import KEPT, RECORD, ReleaseFolder, bare, folders, load
from zoo.settings import Settings

_DIGEST = 12
_JOURNALS = ("journal.jsonl", "staging.jsonl")
_BESIDE = (*_JOURNALS, "hashes.json")
"""What a publication, or a staging, leaves next to its release folder."""


def published(name: str, known: Release, settings: Settings) -> ReleaseFolder | None:
    """The complete folder on this machine that holds what the catalog records as ``known``; None without one."""
    for folder in folders(settings.releases, name, known.version):
        if is_of(folder, known) and (found := load(folder)) and found.release == bare(known):
            return found
    return None


def is_of(folder: Path, known: Release) -> bool:
    """Whether a folder was published as the version ``known``, by the digest of the list of its files. An older record
    has no such digest; then the records of both are compared."""
    pins = {place.model.manifest_sha256 for place in known.places()} - {None}
    if not pins:
        found = load(folder)
        return found is not None and found.release == bare(known)
    return _manifest(folder) in pins


def set_aside(target: Path, name: str, settings: Settings) -> Path | None:
    """Rename the release folder ``target`` to its kept place if it was published, completely or in part, so that
    another build can take its place. Returns the new place; None if it was not published. The caller holds its lock."""
    model = catalogfile.read_model(settings, name)
    known = model.release(target.name) if model else None
    digest = _manifest(target)
    if not digest or not ((known and is_of(target, known)) or _has_commits(target)):
        return None
    place = target.parent / KEPT / f"{target.name}-{digest[:_DIGEST]}"
    place.parent.mkdir(exist_ok=True)
    if place.exists() and load(place):
        return place  # the same bytes; the caller deletes the second copy
    shutil.rmtree(place, ignore_errors=True)
    target.rename(place)
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            target.with_name(f"{target.name}.{suffix}").rename(place.with_name(f"{place.name}.{suffix}"))
    fsync(place.parent)
    return place


def discard(folder: Path, name: str, settings: Settings) -> None:
    """Remove a release folder, so that no build finds it again. If its publication was stopped, its files are kept
    aside: the hub may have them, and only they tell that they are this zoo's."""
    with locked(folder.with_name(f".{folder.name}.lock")):
        (folder / RECORD).unlink(missing_ok=True)
        if folder.parent.name == KEPT:
            return
        set_aside(folder, name, settings)
        if folder.exists():
            shutil.rmtree(folder)


def kept(releases: Path) -> Iterator[Path]:
    """Every kept folder of every model, and the files next to them."""
    yield from sorted(releases.glob(f"*/{KEPT}/*"))


def _has_commits(target: Path) -> bool:
    """Whether a publication or a staging of this folder made a commit on a hub, or was about to, though the catalog may
    not record it yet."""
    noted = b""
    for journal in _JOURNALS:
        with contextlib.suppress(OSError):
            noted += target.with_name(f"{target.name}.{journal}").read_bytes()
    return b'"committed"' in noted or b'"committing"' in noted


def _manifest(folder: Path) -> str | None:
    with contextlib.suppress(OSError):
        return sha256_file(folder / "model" / MANIFEST)
    return None
