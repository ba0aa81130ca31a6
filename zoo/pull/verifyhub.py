"""Compares the repositories of a release on a hub with its lists and the catalog: by headers, or every byte."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from catalog.release import Model, Release, Repository
from zoo.errors import ZooError
from zoo.files.listing import FileRecord
from zoo.hub import Listed, ReadHub, ReadRepo
from zoo.hub.download import Origin, Patience, retrying
from zoo.hub.interface import ABSENT_CONTENT
from zoo.progress import Reporter, carried
from zoo.pull import accounts, hublists
from zoo.pull.accounts import MANIFEST, SUMS, Difference, Manifest
from zoo.pull.hublists import Unchecked, not_as_recorded
from zoo.pull.verifying import LISTS, Verified
from zoo.release.provenance import SIGNATURE

_REQUESTS = 8
"""Requests at the same time."""


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
    files = len(manifest.files) + len(LISTS)
    size = sum(file.size_bytes for file in manifest.files.values())
    size += sum(tree[path].size_bytes for path in LISTS if path in tree)
    return Verified(shown, name, release.version, files, size, time.monotonic() - began,
                    against, tuple(dict.fromkeys(found)), unlisted=extra, unchecked=tuple(missed),
                    pinned=pinned)  # fmt: skip


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
