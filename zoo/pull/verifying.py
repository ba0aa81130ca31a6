"""Compares disk or hub with MANIFEST.json, SHA256SUMS, the receipt of the pull and the catalog."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from catalog import shell, yanks
from catalog.index import Catalog
from catalog.release import Model, Release, Repository, YankEvent
from zoo.errors import Damaged, InputError, ZooError
from zoo.files.digests import sha256_file
from zoo.files.listing import FileRecord
from zoo.hub import Listed, ReadHub, ReadRepo
from zoo.hub.download import Origin, Patience, retrying
from zoo.hub.download.files import is_here
from zoo.hub.interface import ABSENT_CONTENT
from zoo.progress import Advance, Reporter, carried
from zoo.pull import accounts, hublists, pulling
from zoo.pull.accounts import MANIFEST, SUMS, Difference, Manifest
from zoo.pull.hublists import Unchecked, not_as_recorded
from zoo.release.provenance import SIGNATURE

_LISTS = (MANIFEST, SUMS)
THREADS = 2
"""Two files at a time keep a disk busy while one is hashed; more would only make an SD card seek."""

_REQUESTS = 8
"""Requests at the same time."""


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
    lists = [path / name for name in _LISTS if (path / name).is_file()]
    size = sum(manifest.files[name].size_bytes for name in here) + sum(one.stat().st_size for one in lists)
    yank = yanks.standing(catalog, manifest.name, manifest.version) if catalog else None
    absent = len(manifest.files) - len(here)
    return Verified(shown, manifest.name, manifest.version, len(here) + len(lists), size, time.monotonic() - began,
                    tuple(against), tuple(_once(found)), absent, extra, missed, yank,
                    place.manifest_sha256 is not None if place else None)  # fmt: skip


def signed(found: Verified, path: Path, check: Callable[[Path, None], str]) -> Verified:
    """Checks the signature too: ``check`` raises an error, or returns the signer."""
    try:
        signer = check(path, None)
    except Damaged as error:
        refused = Difference(SIGNATURE, "signature", error.what, "a valid signature", "none")
        return dataclasses.replace(found, differences=(*found.differences, refused))
    return dataclasses.replace(found, against=(*found.against, f"signature by {signer}"))


def on_hub(
    hub: ReadHub, model: Model, release: Release, report: Reporter, patience: Patience, *, full: bool
) -> list[Verified]:
    """Both repositories of a release at their recorded commits. full: every byte is read back."""
    place, reading = release.location, _Reading(hub, report, patience, full)
    found = [_repository(reading, "model", place.model, model.name, release)]
    if place.dataset:
        found.append(_repository(reading, "dataset", place.dataset, model.name, release))
    return found


@dataclass(frozen=True)
class _Reading:
    """What is read from, who hears of it, and how much is read: full means every byte."""

    hub: ReadHub
    report: Reporter
    patience: Patience
    full: bool


def _repository(reading: _Reading, kind: str, place: Repository, name: str, release: Release) -> Verified:
    hub, report, patience = reading.hub, reading.report, reading.patience
    began = time.monotonic()
    missed: list[Unchecked] = []
    namespace, _, repository = place.name.partition("/")
    repo = hub.repo(kind, namespace, repository)
    shown = f"{kind} {place.name} at {place.commit[:12]} on {hub.name}"
    of_catalog = release if kind == "model" else None
    try:
        tree = retrying(lambda: repo.listing(place.commit), patience, report, 2)
    except (ZooError, OSError) as error:
        one = not_as_recorded(MANIFEST, error, "a valid manifest", "none")
        broken, missed = ((one,), []) if isinstance(one, Difference) else ((), [one])
        seconds = time.monotonic() - began
        return Verified(
            shown, name, release.version, 1, 0, seconds, ("hub",), broken, unchecked=tuple(missed)
        )
    lists = hublists.read(Origin(repo, place.commit, shown), tree, place, patience)
    found = [one for one in lists.faults if isinstance(one, Difference)]
    missed = [one for one in lists.faults if isinstance(one, Unchecked)]
    manifest = lists.manifest
    if manifest is None and missed:
        seconds = time.monotonic() - began
        return Verified(
            shown, name, release.version, 1, 0, seconds, ("hub",), tuple(found), unchecked=tuple(missed)
        )
    if manifest:
        found += accounts.manifest_against_others(manifest, tree, place, name, of_catalog)
        if lists.sums is not None:
            found += accounts.sums_against_manifest(lists.sums, manifest)
    else:
        # What the catalog itself has, or its evidence, can still be compared.
        manifest = accounts.of_catalog(name, release) if of_catalog else _data_of(reading, name, release)
        found += accounts.tree_against_manifest(tree, manifest)
    if not any(one.path == SIGNATURE for one in lists.faults):
        found += accounts.signature_against_pin(lists.signature, place)
    # Publishing keeps files of other people, so a commit may have more than the release.
    extra = tuple(accounts.unlisted(tree, manifest)) if lists.manifest else ()
    if reading.full:
        both = [manifest.files[path] for path in sorted(tree.keys() & manifest.files.keys())]
        read = list(read_back(repo, place.commit, both, report, patience))
        found += [one for one in read if isinstance(one, Difference)]
        missed += [one for one in read if isinstance(one, Unchecked)]
    else:
        asked = asked_for(repo, place.commit, [manifest.files[path] for path in sorted(tree.keys() & manifest.files)])
        found += [one for one in asked if isinstance(one, Difference)]
        missed += [one for one in asked if isinstance(one, Unchecked)]
    pinned = place.manifest_sha256 is not None
    by_catalog = ("catalog",) if of_catalog or pinned else ()
    by_lists = [path for path, found in ((MANIFEST, lists.manifest), (SUMS, lists.sums)) if found]
    against = ("hub", *by_lists, *by_catalog, *(("content",) if reading.full else ()))
    # The two lists are compared too.
    files = len(manifest.files) + len(_LISTS)
    size = sum(file.size_bytes for file in manifest.files.values())
    size += sum(tree[path].size_bytes for path in _LISTS if path in tree)
    return Verified(shown, name, release.version, files, size, time.monotonic() - began,
                    against, tuple(_once(found)), unlisted=extra, unchecked=tuple(missed), pinned=pinned)  # fmt: skip


def _data_of(reading: _Reading, name: str, release: Release) -> Manifest:
    namespace, _, repository = release.location.model.name.partition("/")
    return hublists.data(reading.hub.repo("model", namespace, repository), name, release, reading.patience)


def asked_for(repo: ReadRepo, commit: str, files: Iterable[FileRecord]) -> list[Difference | Unchecked]:
    """Asks for the headers of every file, which shows a lost content and another size, but no flipped byte."""

    def ask(file: FileRecord) -> Difference | Unchecked | None:
        try:
            served = repo.served(commit, file.path)
        except (ZooError, OSError) as error:
            return not_as_recorded(file.path, error, file.sha256, "nothing")
        if served.absent == ABSENT_CONTENT:
            return Difference(file.path, "hub", "the hub lists it, but has lost its content", file.sha256, "nothing")
        if served.absent:
            return Difference(file.path, "hub", "the hub does not serve it", file.sha256, "nothing")
        if served.size_bytes not in (None, file.size_bytes):
            got = f"{served.size_bytes} bytes"
            return Difference(file.path, "hub", "its length differs", f"{file.size_bytes} bytes", got)
        if served.sha256 not in (None, file.sha256):
            return Difference(file.path, "hub", "the hub has other content", file.sha256, str(served.sha256))
        return None

    with ThreadPoolExecutor(_REQUESTS) as pool:
        return [found for found in pool.map(carried(ask), files) if found]


def read_back(
    repo: ReadRepo, commit: str, files: Iterable[FileRecord], report: Reporter, patience: Patience
) -> Iterator[Difference | Unchecked]:
    """Hashes every byte that the hub serves, and keeps none."""
    import hashlib

    for file in files:
        path, sha, length = file.path, hashlib.sha256(), 0
        with report.task(f"reading {path} back", file.size_bytes, "B") as advance:
            try:
                listed = Listed(path, file.size_bytes, file.sha256)
                incoming = repo.incoming(commit, listed, 0, file.size_bytes, patience.stall_seconds)
                try:
                    for chunk in incoming.chunks:
                        sha.update(chunk)
                        length += len(chunk)
                        advance(len(chunk))
                finally:
                    incoming.close()
            except (ZooError, OSError) as error:
                yield not_as_recorded(path, error, file.sha256, "nothing")
                continue
        if sha.hexdigest() != file.sha256:
            yield Difference(path, "hub", "the hub serves other bytes", file.sha256, sha.hexdigest())


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


def _once(found: Iterable[Difference]) -> list[Difference]:
    return list(dict.fromkeys(found))
