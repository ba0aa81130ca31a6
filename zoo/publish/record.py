"""Writing what was published into the catalog file and the evidence folder of the site."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from catalog import index
from catalog.release import Location, Release
from zoo import addresses
from zoo.catalogfile import change_model, read_model
from zoo.errors import InputError, ZooError
from zoo.files.digests import sha256_file
from zoo.files.whole import sweep, write_atomic
from zoo.hub import FolderHub
from zoo.hub.folders import FOLDER, Folders
from zoo.publish import places
from zoo.publish.places import Way
from zoo.release import ReleaseFolder
from zoo.settings import Settings


def refuse_unwritable(settings: Settings) -> None:
    """Checked before publishing: raises InputError or ZooError unless the catalog and evidence can be written."""
    if settings.catalog.is_dir():
        raise InputError(
            "the catalog is a folder here but must be a file",
            where=settings.shown(settings.catalog),
            safe="Nothing was published.",
            remedy="Name the file with --catalog or in zoo.toml, such as model_catalog.json",
        )
    for what, folder in (("catalog", settings.catalog.parent), ("evidence", settings.evidence)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            is_file = isinstance(error, FileExistsError | NotADirectoryError)
            reason = "a file has the same path" if is_file else str(error.strerror)
            first = "Move that file" if is_file else "Make the folder around it writable"
            raise ZooError(
                f"the folder of the {what} cannot be made: {reason}",
                where=settings.shown(folder),
                safe="Nothing was published.",
                remedy=f"{first}, or name another folder with --{what}",
            ) from error
    for what, place in (
        ("catalog", settings.catalog.parent),
        ("catalog", settings.catalog),
        ("evidence", settings.evidence),
    ):
        if place.exists() and not os.access(place, os.W_OK):
            raise ZooError(
                f"the {what} cannot be written",
                where=settings.shown(settings.catalog if what == "catalog" else place),
                safe="Nothing was published.",
                remedy=f"Make it writable, or name another place with --{what}",
            )


def refuse_blocked_evidence(release: ReleaseFolder, settings: Settings) -> None:
    """Checked before publishing: raises ZooError if something is in the way of the release's evidence files."""
    folder = settings.evidence / release.model.name / release.release.version
    files = [folder / file.path for file in release.release.evidence]
    folders = {settings.evidence / release.model.name, folder, *(path.parent for path in files)}
    for path in sorted(one for one in folders if os.path.lexists(one)):
        if not path.is_dir() or not os.access(path, os.W_OK):
            what = "cannot be written" if path.is_dir() else "is not a folder"
            raise _blocked(path, what, settings)
    for path in files:
        if path.is_dir():
            raise _blocked(path, "is a folder, but an evidence file belongs there", settings)


def _blocked(path: Path, what: str, settings: Settings) -> ZooError:
    shown = settings.shown(path)
    return ZooError(
        f"the evidence of this release cannot be written: {shown} {what}",
        safe="Nothing was published.",
        remedy=f"Move {shown} away, or name another folder with --evidence",
    )


def refuse_invalid(release: ReleaseFolder, location: Location, settings: Settings) -> None:
    """Checked before publishing: raises ZooError if the catalog with this release would not be valid.

    location: where it will be, as far as that is known.
    """
    known = read_model(settings, release.model.name)
    catalog = index.Catalog((known,) if known else ())
    if catalog.release(release.model.name, release.release.version):
        return
    entry = dataclasses.replace(release.release, location=location)
    merged = index.with_release(catalog, release.model, entry)
    _, problems = index.parse(index.to_text(merged), settings.shown(settings.catalog))
    if problems:
        lines = [f"  {problem.text}" for problem in problems[:20]]
        raise ZooError(
            "\n".join(["the catalog would not be valid with this release", *lines]),
            safe="Nothing was published.",
            remedy="Fix these lines in the recipe. If the recipe does not have them, report a bug",
        )


def record(
    release: ReleaseFolder, location: Location, settings: Settings, way: Way = Way.PLACE
) -> bool:
    """Write the release into the catalog and its evidence into the evidence folder. False if both already existed.

    way: a mirror is added to a recorded release, and a move replaces its place.
    """
    entry: Release = dataclasses.replace(release.release, location=location)
    target = settings.evidence / release.model.name / entry.version

    def step(catalog: index.Catalog) -> index.Catalog:
        merged = index.with_access(_merged(catalog, release, entry, way), release.model.name, location)
        sweep(target)
        for file in entry.evidence:
            there = target / file.path
            if not there.exists() or sha256_file(there) != file.sha256:
                write_atomic(there, (release.folder / "model" / "evidence" / file.path).read_bytes())
        return merged

    before = _known(settings, release.model.name, entry.version) if way is Way.MOVE else None
    changed = change_model(settings, release.model.name, step)
    if before and location.hub != FOLDER and not any(one.hub == FOLDER for one in before.mirrors or ()):
        Folders(settings).forget(before.location)
    if not addresses.is_http(settings.hub):
        Folders(settings).note(location, FolderHub(settings.root / Path(settings.hub).expanduser()))
    return changed


def _known(settings: Settings, name: str, version: str) -> Release | None:
    model = read_model(settings, name)
    return model.release(version) if model else None


def _merged(catalog: index.Catalog, release: ReleaseFolder, entry: Release, way: Way) -> index.Catalog:
    known, name, place = catalog.release(release.model.name, entry.version), release.model.name, entry.location
    if known and places.same(known, entry):
        # A folder hub that was lost and made again has other commits at the same place.
        again = known.location.hub == place.hub == FOLDER and known.location.model.name == place.model.name
        # The same place, but somebody else may read it now.
        opened = known.location != place == dataclasses.replace(known.location, access=place.access)
        if way is not Way.PLACE or again or opened:
            return index.with_place(catalog, name, entry.version, place, mirror=way is Way.MIRROR)
    try:
        mirrors = known.mirrors if known else None
        return index.with_release(catalog, release.model, dataclasses.replace(entry, mirrors=mirrors))
    except index.CatalogConflict as conflict:
        raise ZooError(
            str(conflict), safe="The catalog was not changed.", remedy="Raise the version in the recipe"
        ) from conflict
