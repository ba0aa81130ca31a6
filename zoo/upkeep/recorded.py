"""What a release recorded about the files of its two repositories, for comparing them with what a hub serves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from catalog import jsontext, plainfiles
from catalog.release import Release, Repository
from catalog.shapes import shaped
from zoo.corpora import datafiles
from zoo.errors import Damaged, RemoteError, ZooError
from zoo.files import filelist
from zoo.files.digests import git_blob_sha1
from zoo.files.listing import FileRecord
from zoo.hub import Listed, Repo
from zoo.hub.interface import Served
from zoo.release.provenance import SIGNATURE

MANIFEST, SUMS = filelist.MANIFEST, filelist.SUMS
_SMALL_BYTES = 4 << 20
_STALL_SECONDS = 20.0


@dataclass(frozen=True)
class Expected:
    """A recorded file. raw: its content if the zoo has it, for hubs that do not report a sha256 of small files.

    git_sha1: git's digest of it, if recorded. git_seen: that of the recorded commit, as the hub lists it now.
    """

    path: str
    sha256: str
    size_bytes: int | None
    raw: Callable[[], bytes | None] = lambda: None
    git_sha1: str | None = None
    git_seen: str | None = None


@dataclass(frozen=True)
class Account:
    """What is known of a repository at the recorded commit of a release. files: those to compare.

    listed: every file that the release has there, by its own list; None if that could not be read. faults: what is
    wrong with that list, or with the record of the data, each a sentence; the files are compared with the catalog.
    """

    files: Sequence[Expected]
    listed: Mapping[str, Expected] | None
    faults: tuple[str, ...] = ()

    @property
    def readable(self) -> list[FileRecord]:
        """Every file of which size and digest are known, by path: what can be read back and compared."""
        every = {file.path: file for file in (*(self.listed or {}).values(), *self.files)}
        return [
            FileRecord(path, file.size_bytes, file.sha256)
            for path, file in sorted(every.items())
            if file.size_bytes is not None
        ]


def of_model(release: Release, evidence: Path) -> list[Expected]:
    """Every file of the model repository that the catalog has a digest of. evidence: the zoo's copies."""
    text = release.recipe.text.encode()
    found = [Expected(file.path, file.sha256, file.size_bytes) for file in release.files]
    found += [
        Expected(f"evidence/{one.path}", one.sha256, one.size_bytes, partial(copy, evidence / one.path, one.sha256))
        for one in release.evidence
    ]  # fmt: skip
    return [*found, Expected("recipe.yaml", release.recipe.sha256, len(text), lambda: text)]


def account_of_model(release: Release, evidence: Path, model: Repo) -> Account:
    """The files of the model repository: those of the catalog, and those of the list that the catalog pins.

    An older release has no pin, so its list only says which files are its own.
    """
    place, recorded = release.location.model, {file.path: file for file in of_model(release, evidence)}
    try:
        listed = _listed(model, place)
    except Damaged as error:
        return Account([*recorded.values()], None, (error.what,))
    except (ZooError, OSError):
        # If the commit itself is gone, comparing the recorded files shows it.
        return Account([*recorded.values()], None)
    if not place.manifest_sha256:
        return Account([*recorded.values()], listed | recorded)
    # The hub's own digest of a small file proves nothing about that hub; only the list itself was read.
    unread = {
        path: replace(file, git_sha1=None, git_seen=file.git_sha1)
        for path, file in listed.items()
        if path not in (MANIFEST, SIGNATURE)
    }
    found = listed | unread | recorded
    return Account([*found.values()], found)


def of_dataset(release: Release, evidence: Path, model: Repo, dataset: Repo) -> Account:
    """Every file of the dataset repository.

    The digests of the data are evidence of the release, which the catalog pins. Without the zoo's copy, the copy of the
    model repository is read, if it is the pinned one. Other files, and the data of releases from before this evidence,
    are compared with the manifest at the recorded commit, unless that is damaged or contradicts the evidence or the
    catalog. Raises ZooError if the hub does not answer.
    """
    place, faults, recorded = release.location.dataset, list[str](), dict[str, Expected]()
    assert place
    try:
        recorded = _data(release, evidence, model)
    except Damaged as error:
        faults.append(error.what)
    try:
        listed = _listed(dataset, replace(place, manifest_sha256=None))
    except Damaged as error:
        return Account([*recorded.values()], None, (*faults, error.what))
    others = [file.path for file in recorded.values() if listed.get(file.path, file).sha256 != file.sha256]
    faults += [
        f"{MANIFEST} of {place.name} at {place.commit[:12]} lists a different {path} from the one recorded"
        for path in others
    ]
    try:
        _refuse_other_list(place, listed[MANIFEST].sha256)
    except Damaged as error:
        faults += [] if others else [error.what]
        others.append(MANIFEST)
    if others:
        return Account([*recorded.values()], None, tuple(faults))
    found = listed | recorded
    return Account([*found.values()], found, tuple(faults))


def copy(path: Path, sha256: str) -> bytes | None:
    """The zoo's own copy of an evidence file, if it is the recorded one."""
    try:
        raw = plainfiles.read_bytes(path)
    except OSError:
        return None
    return raw if hashlib.sha256(raw).hexdigest() == sha256 else None


def _data(release: Release, evidence: Path, model: Repo) -> dict[str, Expected]:
    pin = next((one for one in release.evidence if one.path == datafiles.FILE), None)
    if pin is None:
        return {}
    raw = copy(evidence / pin.path, pin.sha256)
    if raw is None:
        commit = release.location.model.commit
        raw = _read(model, commit, f"evidence/{pin.path}", model.listing(commit))
        if hashlib.sha256(raw).hexdigest() != pin.sha256:
            raise Damaged(f"neither this zoo nor the hub has the recorded version of {pin.path}")
    files = datafiles.parse(raw)
    return {f.path: Expected(f.path, f.sha256, f.size_bytes, git_sha1=f.git_sha1) for f in files}


def _listed(repo: Repo, place: Repository) -> dict[str, Expected]:
    """The files that the list at the recorded commit names, and the list itself. Raises Damaged."""
    tree = repo.listing(place.commit)
    raw = _read(repo, place.commit, MANIFEST, tree)
    own = hashlib.sha256(raw).hexdigest()
    _refuse_other_list(place, own)
    try:
        listed = filelist.checked(shaped(jsontext.parse(raw), filelist.Listing)["files"])
    except ValueError:
        raise Damaged(f"{MANIFEST} at {place.commit[:12]} is not a valid manifest") from None
    files = [Expected(file.path, file.sha256, file.size_bytes) for file in listed]
    files.append(Expected(MANIFEST, own, len(raw), lambda: raw))
    # The list cannot have these two. The bytes of one follow from it, and the catalog has the digest of the other.
    sums = filelist.sums_text(listed).encode()
    if SUMS in tree:
        files.append(Expected(SUMS, hashlib.sha256(sums).hexdigest(), len(sums), lambda: sums))
    if place.signature_sha256:
        signature = _read(repo, place.commit, SIGNATURE, tree)
        if hashlib.sha256(signature).hexdigest() != place.signature_sha256:
            raise Damaged(f"{SIGNATURE} of {place.name} at {place.commit[:12]} is not the one that was published")
        files.append(Expected(SIGNATURE, place.signature_sha256, len(signature), lambda: signature))
    # With git's digest, a branch that has moved can be compared with the recorded commit.
    seen = {path: file.git_sha1 for path, file in tree.items()}
    return {file.path: replace(file, git_sha1=seen.get(file.path)) for file in files}


def _refuse_other_list(place: Repository, sha256: str) -> None:
    if place.manifest_sha256 not in (None, sha256):
        raise Damaged(
            f"{MANIFEST} of {place.name} at {place.commit[:12]} is not the one that was published, so any file that it "
            "lists may be another one"
        )


def _read(repo: Repo, commit: str, path: str, tree: Mapping[str, Listed]) -> bytes:
    """A small file of a commit, as the hub's tree describes it. Raises Damaged."""
    file = tree.get(path)
    if file is None:
        raise Damaged(f"{path} no longer exists at {commit[:12]}")
    if file.size_bytes > _SMALL_BYTES:
        raise Damaged(f"{path} at {commit[:12]} has {file.size_bytes} bytes, too many for such a file")
    try:
        incoming = repo.incoming(commit, file, 0, file.size_bytes, _STALL_SECONDS)
    except (RemoteError, Damaged) as error:
        if isinstance(error, Damaged) or error.kind == "content_lost":
            raise Damaged(error.what) from error
        raise
    try:
        raw = b"".join(bytes(chunk) for chunk in incoming.chunks)
    finally:
        incoming.close()
    if not _is(file, raw):
        raise Damaged(f"{path} at {commit[:12]} as served by the hub differs from its file list")
    return raw


def _is(file: Listed, raw: bytes) -> bool:
    if file.sha256:
        return hashlib.sha256(raw).hexdigest() == file.sha256
    return git_blob_sha1(raw) == file.git_sha1


def verdict(file: Expected, answer: Served) -> str:
    """``equal``, ``size only``, ``missing``, ``size`` or ``digest``."""
    if answer.absent:
        return "missing"
    if None not in (answer.size_bytes, file.size_bytes) and answer.size_bytes != file.size_bytes:
        return "size"
    if answer.sha256:
        return "equal" if answer.sha256 == file.sha256 else "digest"
    if not answer.git_sha1:
        return "size only"
    raw = None if file.git_sha1 else file.raw()
    known = file.git_sha1 or (git_blob_sha1(raw) if raw is not None else None)
    if known is None:
        return "size only" if file.git_seen in (None, answer.git_sha1) else "digest"
    return "equal" if known == answer.git_sha1 else "digest"
