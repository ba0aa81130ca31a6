"""The lists of a release as a hub serves them: MANIFEST.json, SHA256SUMS and the signature. Each is read by itself, so
that a damaged one hides nothing that the others and the catalog say."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.release import Release, Repository
from zoo.corpora import datafiles
from zoo.errors import Damaged, InputError, MissingExtra, RemoteError, ZooError
from zoo.hub import Listed, ReadRepo
from zoo.hub.download import Origin, Patience, fetch_files
from zoo.progress import Silent
from zoo.pull import accounts
from zoo.pull.accounts import MANIFEST, SUMS, Difference, Manifest
from zoo.pull.arriving import SERVED_OTHERWISE
from zoo.release.provenance import SIGNATURE


@dataclass(frozen=True)
class Unchecked:
    """What could not be compared, and why; neither equal nor different."""

    path: str
    why: str

    @property
    def sentence(self) -> str:
        return f"{self.path} could not be checked: {self.why}"


@dataclass(frozen=True)
class Lists:
    """manifest, sums and signature are None if they could not be read. faults: why, and what is wrong with them."""

    manifest: Manifest | None
    sums: bytes | None
    signature: bytes | None
    faults: tuple[Difference | Unchecked, ...]


def read(origin: Origin, tree: Mapping[str, Listed], place: Repository, patience: Patience) -> Lists:
    """The lists at a commit with this ``tree``. Raises MissingExtra."""
    raw, faults = dict[str, bytes](), list[Difference | Unchecked]()
    wanted = {MANIFEST: place.manifest_sha256, SUMS: None}
    if place.signature_sha256 and SIGNATURE in tree:
        wanted[SIGNATURE] = place.signature_sha256
    for path, pin in wanted.items():
        try:
            raw[path] = _fetched(origin, tree, path, patience)
        except (ZooError, OSError) as error:
            faults.append(not_as_recorded(path, error, pin or "a list of files", "none"))
            if isinstance(faults[-1], Unchecked):
                break  # the hub does not answer
    manifest = accounts.read_manifest(raw[MANIFEST]) if MANIFEST in raw else None
    if MANIFEST in raw and manifest is None:
        faults.append(Difference(MANIFEST, "hub", "it is not a valid manifest", "a list of files", "something else"))
    return Lists(manifest, raw.get(SUMS), raw.get(SIGNATURE), tuple(faults))


def data(repo: ReadRepo, name: str, release: Release, patience: Patience) -> Manifest:
    """The files of the dataset by the evidence of the release, which ``repo``, the one of its model, has. Without it, a
    list of none. Raises MissingExtra."""
    place = release.location.model
    try:
        tree, path = repo.listing(place.commit), f"evidence/{datafiles.FILE}"
        raw = _fetched(Origin(repo, place.commit, place.name), tree, path, patience)
        return accounts.of_evidence(name, release, raw)
    except MissingExtra:
        raise
    except (ZooError, OSError):
        # What is wrong with the model repository is reported with it.
        return Manifest(name, release.version, {}, "")


def _fetched(origin: Origin, tree: Mapping[str, Listed], path: str, patience: Patience) -> bytes:
    if path not in tree:
        raise Damaged("it does not exist there")
    if tree[path].size_bytes > accounts.MOST_BYTES:
        raise Damaged("it is larger than that of any release")
    with tempfile.TemporaryDirectory(prefix="zoo-accounts-") as scratch:
        fetch_files(origin, [tree[path]], Path(scratch), Silent(), patience)
        return (Path(scratch) / path).read_bytes()


def not_as_recorded(path: str, error: ZooError | OSError, expected: str, got: str) -> Difference | Unchecked:
    """Turns an error into a difference (what the hub serves) or an unchecked file (nothing could be compared).

    Raises MissingExtra again: it names the command that makes all of it possible.
    """
    if isinstance(error, MissingExtra):
        raise error
    if isinstance(error, RemoteError):
        if error.facts.get("withheld"):
            return Unchecked(path, error.what)
        if error.kind in SERVED_OTHERWISE:
            return Difference(path, "hub", error.what, expected, got)
    elif isinstance(error, Damaged | InputError):
        return Difference(path, "hub", error.what, expected, got)
    why = (
        error.what
        if isinstance(error, ZooError)
        else f"{error.strerror or error} ({error.filename or 'no file'})"
    )
    return Unchecked(path, why)
