"""Compares four accounts of one release: the hub's tree, MANIFEST.json, SHA256SUMS, the catalog."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from catalog.release import Release, Repository
from catalog.shapes import shaped
from zoo.corpora import datafiles
from zoo.errors import Damaged
from zoo.files import filelist
from zoo.files.listing import FileRecord
from zoo.gguf import wording
from zoo.hub import Listed
from zoo.release.provenance import SIGNATURE

MANIFEST, SUMS = filelist.MANIFEST, filelist.SUMS
UNPINNED = (
    f"The catalog has no digest of {MANIFEST} for this version, because it was published by an older program. Card, "
    "recipe and provenance are only compared with the release's own lists"
)
"""Said of a version whose catalog entry pins its model files only."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)\Z")


@dataclass(frozen=True)
class Difference:
    """A file that is missing, or that two accounts describe differently. ``of`` names the account that was not met."""

    path: str
    of: str
    what: str
    expected: str
    got: str

    @property
    def sentence(self) -> str:
        told = f"{self.path}: {self.what}"
        return told if self.of == "signature" else f"{told} (expected {self.expected}, got {self.got})"


@dataclass(frozen=True)
class Manifest:
    """What MANIFEST.json lists; it does not list itself, SHA256SUMS and signatures. sha256: its own digest."""

    name: str
    version: str
    files: Mapping[str, FileRecord]
    sha256: str


MOST_BYTES, MOST_FILES = 16 << 20, 10_000
"""Of a manifest or list of sums. Releases have tens of files; comparing a list of millions would take minutes."""


class _Told(filelist.Listing):
    name: str
    version: str


def read_manifest(raw: bytes) -> Manifest | None:
    """None if it is not a valid manifest, names a file twice or by an unsafe path, or is far too long."""
    if len(raw) > MOST_BYTES:
        return None
    try:
        data = shaped(jsontext.parse(raw), _Told)
        files = filelist.checked(data["files"])
    except ValueError:
        return None
    if len(files) > MOST_FILES:
        return None
    listed = {file.path: file for file in files}
    return Manifest(data["name"], data["version"], listed, hashlib.sha256(raw).hexdigest())


def read_sums(raw: bytes) -> dict[str, str] | None:
    """Digest by path of the lines of SHA256SUMS; None if a line is invalid, or it is far too long."""
    found: dict[str, str] = {}
    if len(raw) > MOST_BYTES:
        return None
    for line in raw.decode("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if not match:
            return None
        found[match[2]] = match[1]
    return found if len(found) <= MOST_FILES else None


def sums_against_manifest(raw: bytes, manifest: Manifest) -> Iterator[Difference]:
    """SHA256SUMS must list the same files with the same digests, in the one form that a release has."""
    sums, found = read_sums(raw), False
    if sums is None:
        yield Difference(
            SUMS, SUMS, "has a line that is not a digest and a path", "sha256 and path", "something else"
        )
        return
    for path in sorted(sums.keys() | manifest.files.keys()):
        file = manifest.files.get(path)
        expected, got = file.sha256 if file else "no such file", sums.get(path, "no such line")
        if expected != got:
            found = True
            yield Difference(path, MANIFEST, f"{SUMS} and {MANIFEST} differ", expected, got)
    # The manifest cannot list it, so its bytes follow from the manifest.
    wanted = filelist.sums_text(manifest.files.values()).encode()
    if raw != wanted and not found:
        yield Difference(SUMS, MANIFEST, "it has other bytes than this list of files", _sha256(wanted), _sha256(raw))


def signature_against_pin(raw: bytes | None, place: Repository) -> Iterator[Difference]:
    """The digest that the catalog records for the signature. raw: its bytes; None if there is none."""
    pin = place.signature_sha256
    if pin and (raw is None or _sha256(raw) != pin):
        got = "no such file" if raw is None else _sha256(raw)
        yield Difference(SIGNATURE, "catalog", "it is not the one that was published", pin, got)


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def manifest_against_pin(manifest: Manifest, place: Repository) -> Iterator[Difference]:
    """The digest that the catalog records for the manifest, which is that of every file that it lists."""
    pin = place.manifest_sha256
    if pin and manifest.sha256 != pin:
        yield Difference(MANIFEST, "catalog", "it is not the one that was published", pin, manifest.sha256)


def manifest_against_catalog(manifest: Manifest, name: str, release: Release) -> Iterator[Difference]:
    """Name, version, and every file that the catalog records."""
    if (manifest.name, manifest.version) != (name, release.version):
        yield Difference(MANIFEST, "catalog", "it belongs to another release", f"{name} {release.version}",
                         f"{manifest.name} {manifest.version}")  # fmt: skip
    for path in release.terms.files if release.terms else ():
        if path not in manifest.files:
            yield Difference(path, "catalog", f"the catalog lists this licence text, but {MANIFEST} does not", "a file",
                             "no such file")  # fmt: skip
    for file in _recorded(release):
        listed = manifest.files.get(file.path)
        if listed != file:
            yield Difference(file.path, "catalog", f"{MANIFEST} and the catalog differ", _words(file),
                             _words(listed))  # fmt: skip


def manifest_against_others(
    manifest: Manifest, tree: Mapping[str, Listed], place: Repository, name: str, release: Release | None
) -> Iterator[Difference]:
    """What catalog (of a release) and tree say that a manifest does not."""
    yield from manifest_against_pin(manifest, place)
    if release:
        yield from manifest_against_catalog(manifest, name, release)
    yield from tree_against_manifest(tree, manifest)


def of_catalog(name: str, release: Release) -> Manifest:
    """The files of the model repository that the catalog itself records, as far as no manifest is needed for it."""
    recipe = FileRecord("recipe.yaml", len(release.recipe.text.encode()), release.recipe.sha256)
    return Manifest(name, release.version, {file.path: file for file in (*_recorded(release), recipe)}, "")


def of_evidence(name: str, release: Release, raw: bytes) -> Manifest:
    """The files of the dataset repository that the evidence of a release records. Raises Damaged if ``raw`` is not the
    recorded evidence."""
    pin = next((one for one in release.evidence if one.path == datafiles.FILE), None)
    if pin is None or _sha256(raw) != pin.sha256:
        raise Damaged(f"{datafiles.FILE} is not the recorded one")
    listed = {one.path: FileRecord(one.path, one.size_bytes, one.sha256) for one in datafiles.parse(raw)}
    return Manifest(name, release.version, listed, "")


def _recorded(release: Release) -> list[FileRecord]:
    files = [FileRecord(f.path, f.size_bytes, f.sha256) for f in release.files]
    return files + [FileRecord(f"evidence/{f.path}", f.size_bytes, f.sha256) for f in release.evidence]


def measured_against_catalog(folder: Path, release: Release) -> Iterator[Difference]:
    """The files that are in ``folder``, without the words of their headers, must be the ones that were measured."""
    for file in release.files:
        if file.measured_sha256 and (folder / file.path).is_file():
            found, recorded = wording.unworded_sha256(folder / file.path), file.measured_sha256
            if found != recorded:
                yield Difference(file.path, "catalog", "it is not the file that was measured", recorded, found)


def tree_against_manifest(tree: Mapping[str, Listed], manifest: Manifest) -> Iterator[Difference]:
    """Every file that the manifest lists is in the tree with that size and, if the hub reports it, digest."""
    for path, file in sorted(manifest.files.items()):
        there = tree.get(path)
        if there is None:
            yield Difference(path, MANIFEST, "it is not on the hub", _words(file), "no such file")
        elif there.size_bytes != file.size_bytes or (there.sha256 or file.sha256) != file.sha256:
            got = f"{there.size_bytes} bytes, sha256 {there.sha256 or 'not reported'}"
            yield Difference(path, MANIFEST, f"the hub and {MANIFEST} differ", _words(file), got)


def unlisted(paths: Iterable[str], manifest: Manifest) -> list[str]:
    """Paths that no account mentions."""
    return sorted(path for path in paths if path not in manifest.files and not beside(path))


def beside(path: str) -> bool:
    """Whether a path is one of those that the manifest cannot list."""
    return path in (MANIFEST, SUMS, SIGNATURE, ".gitattributes")


def _words(file: FileRecord | None) -> str:
    return f"{file.size_bytes} bytes, sha256 {file.sha256}" if file else "no such file"
