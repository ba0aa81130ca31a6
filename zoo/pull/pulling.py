"""The steps of one pull: compare the accounts, download the bytes, write a receipt for ``zoo verify``.

Nothing large is downloaded before hub, manifest and catalog agree on its content.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext, plainfiles
from catalog.device import Device
from catalog.release import ModelFile, Release, Repository
from catalog.shapes import shaped
from zoo.choose import pick as picks
from zoo.choose.pick import Pick
from zoo.errors import InputError, RemoteError, ZooError
from zoo.files import filelist
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.hub import Listed, ReadHub
from zoo.hub.download import Fetched, Origin, Patience, fetch_files, retrying
from zoo.progress import Reporter, Silent
from zoo.pull import accounts as agreement
from zoo.pull.accounts import MANIFEST, SUMS, Manifest
from zoo.pull.arriving import arriving, digests, others, some
from zoo.pull.names import Chosen
from zoo.release.provenance import BOM, SIGNATURE, STATEMENT

RECEIPT = ".zoo/pull.json"
COMPANION_BYTES = 1 << 20
"""Files at the top of the release up to this size (card, recipe, signatures) are downloaded too."""
_COMPANIONS = ("README.md", "recipe.yaml", BOM, STATEMENT, MANIFEST, SUMS, SIGNATURE)
_TEXT = re.compile(
    r"(LICEN[CS]E|NOTICE|COPYING|COPYRIGHT|TERMS|USE[_-]POLICY)[\w-]*|[\w.-]+\.(md|txt|pdf|html|rst)", re.I
)
"""Names of licence texts. Others, such as zoo.toml or Makefile, would be obeyed by programs that run in the folder."""


@dataclass(frozen=True)
class Pulled:
    """What is in ``folder`` now; ``fetched`` holds the model file last."""

    folder: Path
    file: ModelFile
    fetched: tuple[Fetched, ...]
    unlisted: tuple[str, ...]
    signer: str | None = None

    @property
    def path(self) -> Path:
        return self.folder / self.file.path

    @property
    def received_bytes(self) -> int:
        return sum(one.received_bytes for one in self.fetched)


def recommended(release: Release, device: Device, context_tokens: int) -> Pick:
    """The pick for a device. Raises ZooError when no file fits, InputError for an invalid context."""
    try:
        pick = picks.pick(release, device, context_tokens)
    except ValueError as error:
        raise InputError(str(error), remedy="Write another --context") from error
    if pick.file is None:
        raise ZooError(
            pick.reason, safe="Nothing was downloaded.",
            remedy=f"To download a file anyway, name it: {', '.join(f.type for f in release.files)}",
        )  # fmt: skip
    return pick


@dataclass(frozen=True)
class Order:
    """The file of a release that somebody wants, and the folder for it. force: files of others there are replaced."""

    chosen: Chosen
    file: ModelFile
    folder: Path
    force: bool = False


def pull(
    hub: ReadHub,
    order: Order,
    report: Reporter,
    patience: Patience,
    check: Callable[[Path, Collection[str]], str] | None = None,
) -> Pulled:
    """Fetch what is ordered, with the release's manifest, sums and card. Only what the manifest lists is fetched.

    check: refuses files of a folder that are not signed as they should be, else says by whom; it sees the small files
    before the large one is fetched.

    Raises RemoteError, also when the hub, the manifest and the catalog do not agree (kind ``disagreement``), and
    InputError if files are in the way. A refused release leaves nothing in the folder.
    """
    chosen, file, folder = order.chosen, order.file, order.folder
    release, place = chosen.release, chosen.release.location.model
    refuse_other_release(folder, chosen.model.name, release.version)
    repo = hub.repo("model", *_split(place.name))
    origin = Origin(repo, place.commit, f"{place.name} at {place.commit[:12]}")
    tree = retrying(lambda: repo.listing(place.commit), patience, report, 2)
    manifest, found = accounts(origin, tree, place, chosen.model.name, release, patience)
    if found:
        lines = [difference.sentence for difference in found]
        raise RemoteError(
            "\n".join([f"{origin.source} differs from the release", *(f"  {line}" for line in lines[:20])]),
            kind="disagreement", facts={"differences": [vars(difference) for difference in found]},
            safe="Nothing was downloaded.", remedy="Do not use the file, and report this to the owner of the catalog",
        )  # fmt: skip
    companions = _companions(tree, manifest)
    if SIGNATURE in companions and not (check or place.signature_sha256):
        # Nothing says which one is right, and nobody looks at it.
        companions.remove(SIGNATURE)
    wanted = [_as_listed(manifest, tree[path], place) for path in companions]
    model = Listed(file.path, file.size_bytes, file.sha256)
    _make_way(order, [*wanted, model], report)
    with arriving(folder, origin, report, patience) as arrival:
        signer = None
        if check:
            # One after the other: what vouches for the model is looked at before that is fetched.
            done = arrival.fetch(wanted)
            check(arrival.gather(done), _signed(done))
            done += arrival.fetch([model])
            signer = check(arrival.gather(done), _signed(done))
        else:
            done = arrival.fetch([*wanted, model])
        done = arrival.settle(done)
        _write_receipt(folder, chosen, hub, done)
    extra = tuple(agreement.unlisted(tree, manifest))
    return Pulled(folder, file, tuple(done), extra, signer)


def _make_way(order: Order, wanted: Sequence[Listed], report: Reporter) -> None:
    """Raises InputError with the files that would be replaced and are not of an earlier pull, unless that was asked."""
    found = others(order.folder, wanted, read_receipt(order.folder))
    if not found:
        return
    if not order.force:
        raise InputError(
            f"{order.folder} has files of the same name with other content, and zoo pull did not write them: "
            f"{some(found)}",
            safe="Nothing was downloaded.",
            remedy="Name another folder with --to, or replace these files with --force",
        )
    report.warn(f"replacing files that zoo pull did not write: {some(found)}")


def accounts(
    origin: Origin,
    tree: Mapping[str, Listed],
    place: Repository,
    name: str,
    release: Release | None,
    patience: Patience,
) -> tuple[Manifest, list[agreement.Difference]]:
    """The manifest at a commit, and where it, SHA256SUMS, the tree and the catalog (of a release) differ."""
    for path in (MANIFEST, SUMS):
        if path not in tree:
            raise RemoteError(f"{origin.source} has no {path}, so it is not a release", kind="disagreement",
                              facts={"differences": []}, safe="Nothing was downloaded.")  # fmt: skip
        if tree[path].size_bytes > agreement.MOST_BYTES:
            what = f"{path} of {origin.source} is larger than that of any release"
            raise RemoteError(what, kind="disagreement", facts={"differences": []}, safe="Nothing was downloaded.")
    with tempfile.TemporaryDirectory(prefix="zoo-accounts-") as scratch:
        signature = tree.get(SIGNATURE) if place.signature_sha256 else None
        if signature and signature.size_bytes > COMPANION_BYTES:
            signature = None
        small = [tree[MANIFEST], tree[SUMS], *([signature] if signature else [])]
        fetch_files(origin, small, Path(scratch), Silent(), patience)
        manifest = agreement.read_manifest((Path(scratch) / MANIFEST).read_bytes())
        sums = (Path(scratch) / SUMS).read_bytes()
        signed = (Path(scratch) / SIGNATURE).read_bytes() if signature else None
    if manifest is None:
        raise RemoteError(f"{MANIFEST} of {origin.source} is not a valid manifest", kind="disagreement",
                          facts={"differences": []}, safe="Nothing was downloaded.")  # fmt: skip
    found = [*agreement.sums_against_manifest(sums, manifest), *agreement.signature_against_pin(signed, place)]
    return manifest, [*agreement.manifest_against_others(manifest, tree, place, name, release), *found]


def refuse_other_release(folder: Path, name: str, version: str) -> None:
    """Files of two versions have the same names, so a folder may contain only one. Raises InputError."""
    if folder.is_file():
        raise InputError(f"{folder} is a file", safe="Nothing was downloaded.", remedy="Name a folder with --to")
    with suppress(OSError):
        there = agreement.read_manifest(plainfiles.read_bytes(folder / MANIFEST, agreement.MOST_BYTES + 1))
        if there is None or (there.name, there.version) != (name, version):
            what = f"{there.name} {there.version}" if there else f"a {MANIFEST} from another program"
            raise InputError(
                f"{folder} contains {what}", safe="Nothing was downloaded.", remedy="Name another folder with --to"
            )


class _Receipt(TypedDict):
    files: dict[str, str]


def is_damaged_receipt(folder: Path) -> bool:
    """Whether ``folder`` has a receipt of a pull that cannot be used."""
    return os.path.lexists(folder / RECEIPT) and _receipt_of(folder) is None


def read_receipt(folder: Path) -> dict[str, str]:
    """Digest by path of what was pulled into ``folder``; empty without a receipt, or with a damaged one."""
    return _receipt_of(folder) or {}


def _receipt_of(folder: Path) -> dict[str, str] | None:
    with suppress(OSError, ValueError):
        files = shaped(jsontext.read(folder / RECEIPT), _Receipt)["files"]
        for digest in files.values():
            filelist.refuse_other(digest)
        return files
    return None


def _companions(tree: Mapping[str, Listed], manifest: Manifest) -> list[str]:
    """The small files at the top that every release has, and its licence texts; none that a program would obey."""
    return sorted(
        path
        for path in {*manifest.files, MANIFEST, SUMS, SIGNATURE}
        if path in tree
        and (path in _COMPANIONS or (_TEXT.fullmatch(path) and not path.startswith(".")))
        and tree[path].size_bytes <= COMPANION_BYTES
    )


def _signed(done: Iterable[Fetched]) -> list[str]:
    return [one.file.path for one in done if one.file.path != SIGNATURE]


def _as_listed(manifest: Manifest, there: Listed, place: Repository) -> Listed:
    """The file as it must be, and not only as the hub lists it now."""
    if there.path in (MANIFEST, SUMS):
        own = filelist.sums_text(manifest.files.values()).encode()
        known = manifest.sha256 if there.path == MANIFEST else hashlib.sha256(own).hexdigest()
        return dataclasses.replace(there, sha256=known)
    if there.path == SIGNATURE:
        return dataclasses.replace(there, sha256=place.signature_sha256 or there.sha256)
    file = manifest.files.get(there.path)
    return Listed(file.path, file.size_bytes, file.sha256) if file else there


def _write_receipt(folder: Path, chosen: Chosen, hub: ReadHub, done: list[Fetched]) -> None:
    files = read_receipt(folder) | digests(done)
    place = chosen.release.location.model
    data = {
        "format": 1,
        "name": chosen.model.name,
        "version": chosen.release.version,
        "hub": hub.name,
        "repository": place.name,
        "commit": place.commit,
        "files": files,
    }
    write_atomic(folder / RECEIPT, pretty_json(data))


def _split(name: str) -> tuple[str, str]:
    namespace, _, repository = name.partition("/")
    return namespace, repository
