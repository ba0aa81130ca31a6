"""Licence texts that a source has itself: read from a package, a folder or a hub, for the zoo to include."""

from __future__ import annotations

from pathlib import Path

from catalog import licencefiles, plainfiles
from catalog import sources as source_uris
from catalog.lock import Pin
from zoo.errors import SourceError
from zoo.files.digests import sha256_file
from zoo.progress import Reporter
from zoo.sources import hub as hubsource
from zoo.sources import packages as packagesource


def read(uri: str, file: str, pin: Pin | None, root: Path, report: Reporter) -> bytes:
    """The bytes of ``file`` at the top of the source ``uri``. pin: of a Hub source, with the commit.

    Raises SourceError for a source without such a file, or one that is too large for a licence text.
    """
    source = source_uris.parse(uri)
    if isinstance(source, source_uris.HubSource):
        raw = hubsource.small_file(source.repo, str(pin and pin.revision), file, report)
    elif isinstance(source, source_uris.ServerSource):
        raw = None
    else:
        path = packagesource.beside(source, file, root) if isinstance(source, source_uris.PackageSource) else None
        if isinstance(source, source_uris.FileSource):
            place = root / source.path
            path = (place if place.is_dir() else place.parent) / file
        sound = path and path.is_file() and _inside(path, root, source)
        raw = plainfiles.read_bytes(path, licencefiles.MAX_BYTES + 1) if path and sound else None
    if raw is None:
        raise SourceError(
            f"the source has no file {file}", where=uri, safe="The licence text was not fetched.",
            remedy="Under licence_files, name a text that it has, or save the licence in the zoo and name its path",
        )  # fmt: skip
    if len(raw) > licencefiles.MAX_BYTES:
        raise SourceError(
            f"{file} is larger than {licencefiles.MAX_BYTES // 1024} KiB", where=uri, remedy="Name a licence text"
        )
    return raw


def sha256_in_package(uri: str, file: str, *, root: Path) -> str | None:
    """The digest of a licence text of the installed package that ships the source; None for any other source."""
    source = source_uris.parse(uri)
    path = packagesource.beside(source, file, root) if isinstance(source, source_uris.PackageSource) else None
    return sha256_file(path) if path else None


def _inside(path: Path, root: Path, source: source_uris.PackageSource | source_uris.FileSource) -> bool:
    """Whether a file is inside the zoo, also through links."""
    return isinstance(source, source_uris.PackageSource) or path.resolve().is_relative_to(root.resolve())
