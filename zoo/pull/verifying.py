"""Compares the files of a release on disk with MANIFEST.json, SHA256SUMS, the receipt of the pull and the catalog.

``verifyhub`` compares what a hub has.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalog import shell, yanks
from catalog.index import Catalog
from catalog.release import Release, Repository, YankEvent
from zoo.errors import Damaged, InputError
from zoo.files.digests import sha256_file
from zoo.hub import Listed
from zoo.hub.download.files import is_here
from zoo.progress import Advance, Reporter, carried
from zoo.pull import accounts, pulling
from zoo.pull.accounts import MANIFEST, SUMS, Difference, Manifest
from zoo.pull.hublists import Unchecked
from zoo.release.provenance import SIGNATURE

LISTS = (MANIFEST, SUMS)
THREADS = 2
"""Two files at a time keep a disk busy while one is hashed; more would only make an SD card seek."""


@dataclass(frozen=True)
class Verified:
    """One checked place. files, bytes: with the two lists of files, as they are published. absent: files of the release
    that are not here and need not be. withdrawn: the yank of this version, as the catalog has it. pinned: whether the
    catalog has the digest of the manifest, which is that of every file; None without a catalog."""

    place: str
    name: str
    version: str
    files: int
    bytes: int
    seconds: float
    against: tuple[str, ...]
    differences: tuple[Difference, ...]
    absent: int = 0
    unlisted: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    withdrawn: YankEvent | None = None
    pinned: bool | None = None


def folder(
    path: Path, catalog: Catalog | None, shown: str, report: Reporter, *, complete: bool = False
) -> Verified:
    """The files of one release in ``path``. complete: every file of the manifest must be here, and no other.

    Raises InputError when there is nothing to compare with.
    """
    began = time.monotonic()
    if not (path / MANIFEST).is_file():
        raise InputError(f"{shown} has no {MANIFEST}", remedy="Name a folder that zoo pull made, or a model")
    manifest = accounts.read_manifest(_start_of(path / MANIFEST))
    if manifest is None:
        broken = Difference(
            MANIFEST, MANIFEST, "it is not a valid manifest", "a list of files", "something else"
        )
        return Verified(shown, "", "", 1, 0, time.monotonic() - began, (MANIFEST,), (broken,))
    release = catalog.release(manifest.name, manifest.version) if catalog else None
    against, found = [MANIFEST], list[Difference]()
    if (path / SUMS).is_file():
        against.append(SUMS)
        found += accounts.sums_against_manifest(_start_of(path / SUMS), manifest)
    elif complete:
        found.append(Difference(SUMS, MANIFEST, "it is missing", "a file", "none"))
    place = _place(manifest, release) if release else None
    if place:
        against.append("catalog")
        found += accounts.manifest_against_pin(manifest, place)
        if complete or os.path.lexists(path / SIGNATURE):
            found += accounts.signature_against_pin(_signature(path), place)
    if release and place is release.location.model:
        found += accounts.manifest_against_catalog(manifest, manifest.name, release)
    receipt = pulling.read_receipt(path)
    if pulling.is_damaged_receipt(path):
        report.warn(
            f"{shown}/{pulling.RECEIPT} is damaged, so the files were not compared with what the pull received. To "
            f"write it again: zoo pull {manifest.name}@{manifest.version} --to {shell.argument(shown)}"
        )
    if receipt:
        against.append("receipt")
        found += _receipt(path, receipt, manifest)
    here = [name for name in manifest.files if os.path.lexists(path / name)]
    needed = set(manifest.files if complete else receipt)
    found += [
        Difference(name, MANIFEST, "it is missing", manifest.files[name].sha256, "no such file")
        for name in sorted(needed & manifest.files.keys() - set(here))
    ]
    looked = _contents(path, manifest, here, report)
    found += [one for one in looked if isinstance(one, Difference)]
    if release and "catalog" in against and not found:
        found += accounts.measured_against_catalog(path, release)
    missed = tuple(one for one in looked if isinstance(one, Unchecked))
    extra = tuple(accounts.unlisted(dict.fromkeys(_walk(path)), manifest))
    if complete:
        found += [
            Difference(name, MANIFEST, "it does not belong to the release", "no such file", "a file")
            for name in extra
        ]
    lists = [path / name for name in LISTS if (path / name).is_file()]
    size = sum(manifest.files[name].size_bytes for name in here) + sum(one.stat().st_size for one in lists)
    yank = yanks.standing(catalog, manifest.name, manifest.version) if catalog else None
    absent = len(manifest.files) - len(here)
    return Verified(shown, manifest.name, manifest.version, len(here) + len(lists), size, time.monotonic() - began,
                    tuple(against), tuple(dict.fromkeys(found)), absent, extra, missed, yank,
                    place.manifest_sha256 is not None if place else None)  # fmt: skip


def signed(found: Verified, path: Path, check: Callable[[Path, None], str]) -> Verified:
    """Checks the signature too: ``check`` raises an error, or returns the signer."""
    try:
        signer = check(path, None)
    except Damaged as error:
        what = "; ".join(line.strip() for line in error.what.splitlines())
        refused = Difference(SIGNATURE, "signature", what, "a valid signature", "none")
        return dataclasses.replace(found, differences=(*found.differences, refused))
    return dataclasses.replace(found, against=(*found.against, f"signature by {signer}"))


def _contents(
    path: Path, manifest: Manifest, names: list[str], report: Reporter
) -> list[Difference | Unchecked]:
    total = sum(manifest.files[name].size_bytes for name in names)

    def look(name: str) -> Difference | Unchecked | None:
        try:
            return _content(path, manifest, name, advance)
        except OSError as error:
            return Unchecked(name, str(error.strerror or error))

    with report.task("checking", total, "B") as advance, ThreadPoolExecutor(THREADS) as pool:
        ordered = sorted(names, key=lambda name: (-manifest.files[name].size_bytes, name))
        jobs = [pool.submit(carried(look), name) for name in ordered]
        return [found for job in jobs if (found := job.result())]


def _content(path: Path, manifest: Manifest, name: str, advance: Advance) -> Difference | None:
    file, there = manifest.files[name], path / name
    if any(
        part.is_symlink() for part in (there, *there.parents) if part.is_relative_to(path) and part != path
    ):
        return Difference(name, MANIFEST, "it is a link", "a plain file", "a link")
    if not there.is_file():
        return Difference(name, MANIFEST, "it is not a plain file", "a plain file", "something else")
    size = there.stat().st_size
    if size != file.size_bytes:
        return Difference(name, MANIFEST, "its length differs", f"{file.size_bytes} bytes", f"{size} bytes")
    if is_here(there, Listed(name, file.size_bytes, file.sha256), advance):
        return None
    return Difference(name, MANIFEST, "its content differs", file.sha256, sha256_file(there))


def _receipt(path: Path, receipt: dict[str, str], manifest: Manifest) -> Iterator[Difference]:
    """Compares with the receipt of the pull; the other checks cover files of the manifest."""
    for name, digest in sorted(receipt.items()):
        there = path / name
        listed = manifest.files.get(name)
        if listed and listed.sha256 != digest:
            yield Difference(name, "receipt", f"{MANIFEST} changed after the pull", digest, listed.sha256)
        elif not listed and not there.is_file():
            yield Difference(name, "receipt", "it is missing", digest, "no such file")
        elif not listed and (got := sha256_file(there)) != digest:
            yield Difference(name, "receipt", "it changed after the pull", digest, got)


def _start_of(path: Path) -> bytes:
    """A small file; of one that is too long, enough to notice it."""
    with path.open("rb") as stream:
        return stream.read(accounts.MOST_BYTES + 1)


def _signature(path: Path) -> bytes | None:
    there = path / SIGNATURE
    return _start_of(there) if there.is_file() and not there.is_symlink() else None


def _place(manifest: Manifest, release: Release) -> Repository | None:
    """The repository of a release that a manifest belongs to; the dataset's manifest lists no weights."""
    has_weights = any(file.path in manifest.files for file in release.files)
    has_data = any(path.startswith("data/") for path in manifest.files)
    return release.location.dataset if has_data and not has_weights else release.location.model


def _walk(path: Path) -> Iterator[str]:
    for there in sorted(path.rglob("*")):
        name = there.relative_to(path).as_posix()
        if not there.is_dir() and not name.startswith(".zoo/"):
            yield name
