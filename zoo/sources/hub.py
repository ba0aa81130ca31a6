"""Model folders and GGUF files fetched from the Hugging Face Hub (or HF_ENDPOINT) at a fixed commit.

Metadata comes through the official client, contents through the download room. Fetched files and their digests are
recorded next to the folder. A commit never changes, so the next time nothing is requested, and offline mode works.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from catalog.sources import HubSource
from catalog.words import counted, data_size
from zoo import addresses
from zoo.errors import RemoteError, SourceError
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.whole import write_atomic
from zoo.hub import LOGIN, Listed
from zoo.hub.download import Origin, Patience, fetch_files, retrying
from zoo.hub.download.files import is_here
from zoo.hub.huggingface import Door, HuggingFaceHub, HuggingFaceRepo
from zoo.modelfolder.files import CONFIG, TOKENIZER
from zoo.progress import Reporter
from zoo.sources import hubfiles

LOOKED_AT = (CONFIG, "generation_config.json", *TOKENIZER)
"""Files that are read when a model is pinned, even if the hub has the digest: some tens of MB, no weights."""

METADATA_TRIES = 2


def endpoint() -> str:
    """The address that ``hf:`` sources are fetched from. Read now: the client reads HF_ENDPOINT at import only."""
    return addresses.parse(os.environ.get("HF_ENDPOINT", "").strip() or LOGIN, "environment HF_ENDPOINT")


def fetch(
    source: HubSource,
    files: Mapping[str, str] | None,
    cache: Path,
    report: Reporter,
    patience: Patience | None = None,
) -> Path:
    """The folder with the files of a source, or the one file that it names; each matches its pin (sha256 by path). The
    revision of the source is a commit.

    Raises RemoteError or SourceError if the hub does not answer or a file does not match its pin.
    """
    target, pins, patience = _target(source, cache), _of_root(files, source.file), patience or Patience()
    found = target / source.file if source.file else target
    called = f"{source.repo} at {_commit(source)[:12]}"
    if _is_whole(target, pins):
        report.say(f"{called} is already here")
        return found
    origin, wanted = _everything(source, pins, patience, report)
    total = sum(file.size_bytes for file in wanted)
    report.say(f"fetching {called}: {counted(len(wanted), 'file')}, {data_size(total)}")
    fetch_files(origin, wanted, target, report, patience, cache / "hub" / ".zoo")
    record = {
        file.path: sha256_file(target / file.path) if not file.sha256 else file.sha256 for file in wanted
    }
    write_atomic(_record(target), pretty_json({"repo": source.repo, "revision": source.revision, "sha256": record}))
    return found


def fetched(source: HubSource, files: Mapping[str, str] | None, cache: Path) -> list[Path]:
    """What ``fetch`` would find in ``cache`` and then ask no hub for, its record last; empty if it would fetch."""
    target = _target(source, cache)
    if not _is_whole(target, _of_root(files, source.file)):
        return []
    names = shaped(jsontext.read(_record(target)), _Fetched)["sha256"]
    return [*(target / name for name in sorted(names)), _record(target)]


def fetch_small(
    source: HubSource,
    files: Mapping[str, str] | None,
    cache: Path,
    report: Reporter,
    patience: Patience | None = None,
) -> Path:
    """The folder that ``fetch`` fills, with the configuration and the tokenizer's files at least, which show what the
    import would refuse.

    Raises as ``fetch`` does, also for files that nothing downloads yet, and within seconds if the hub is away.
    """
    target, pins, patience = _target(source, cache), _of_root(files), patience or Patience()
    if not _is_whole(target, pins):
        report.say(f"asking {endpoint()} for the small files of {source.repo}")
        origin, wanted = _everything(source, pins, patience, report, quick=True)
        small = [file for file in wanted if file.path in LOOKED_AT]
        fetch_files(origin, small, target, report, patience, cache / "hub" / ".zoo")
    return target


def _commit(source: HubSource) -> str:
    assert source.revision, "a source is fetched at the commit that its lock or its address names"
    return source.revision


def kept_at(source: HubSource) -> Path:
    """Where in the work folder ``fetch`` puts the files of a source."""
    # A folder for each file: what was fetched is recorded for a folder.
    part = f"-{hashlib.sha256(source.file.encode()).hexdigest()[:12]}" if source.file else ""
    return Path("hub", source.repo.replace("/", "--"), f"{_commit(source)}{part}")


def _target(source: HubSource, cache: Path) -> Path:
    return cache / kept_at(source)


def _of_root(files: Mapping[str, str] | None, file: str | None = None) -> dict[str, str]:
    """Pins without those of files in subfolders, which locks of earlier versions have and nothing reads; of one file,
    its own."""
    pins = files or {}
    return {path: pins[path] for path in pins if path == file or (not file and "/" not in path)}


def _everything(
    source: HubSource, pins: Mapping[str, str], patience: Patience, report: Reporter, *, quick: bool = False
) -> tuple[Origin, list[Listed]]:
    """Every file to fetch, sorted, and where they come from. quick: the hub is not waited for, see ``Door``.

    Raises RemoteError, SourceError.
    """
    repo, revision = source.repo, _commit(source)
    hub = _repo(repo, quick=quick)
    everything = _listing(hub, revision, patience, report)
    _refuse_other_pins(repo, revision, everything, pins)
    if source.file:
        tree = hubfiles.only(source.file, everything, f"hf:{repo}@{revision}")
    else:
        tree = hubfiles.wanted(hub, repo, revision, everything, patience, report)
    tree |= {path: everything[path] for path in pins}
    return Origin(hub, revision, f"hf:{repo}@{revision}"), [_pinned(tree[path], pins) for path in sorted(tree)]


def resolve_revision(
    source: HubSource,
    report: Reporter,
    patience: Patience | None = None,
    judge: Callable[[Path, str], None] | None = None,
) -> tuple[str, list[tuple[str, int, str]]]:
    """The commit that the source's revision names now, and (path, bytes, sha256) of every file that would be used.

    Files without a sha256 on the hub are small; they are read once. judge: gets a folder with the configuration
    and the tokenizer's files, and its name; it raises for an unusable model. Raises RemoteError.
    """
    repo, hub, patience = source.repo, _repo(source.repo), patience or Patience()
    try:
        commit = retrying(lambda: hub.commit_of(source.revision), patience, report, METADATA_TRIES)
    except RemoteError as error:
        raise _with_nearest(error, hub, source.revision) from error
    everything = _listing(hub, commit, patience, report)
    if source.file:
        tree = hubfiles.only(source.file, everything, f"hf:{repo}@{commit}")
    else:
        tree = hubfiles.wanted(hub, repo, commit, everything, patience, report)
    known = {file.path: file.sha256 for file in tree.values() if file.sha256}
    unknown = [file for file in tree.values() if not file.sha256 and file.size_bytes <= hubfiles.SMALL_BYTES]
    looked_at = [tree[path] for path in LOOKED_AT if judge and path in tree and tree[path] not in unknown]
    with tempfile.TemporaryDirectory(prefix="zoo-lock-") as name:
        origin = Origin(hub, commit, f"hf:{repo}@{commit}")
        fetch_files(origin, [*unknown, *looked_at], Path(name), report, patience)
        known |= {file.path: sha256_file(Path(name) / file.path) for file in unknown}
        if judge:
            judge(Path(name), f"hf:{repo}@{commit}")
    return commit, [(path, tree[path].size_bytes, sha256) for path, sha256 in sorted(known.items())]


def small_file(
    repo: str, commit: str, name: str, report: Reporter, patience: Patience | None = None
) -> bytes | None:
    """The content of one small file at the root of ``repo`` at ``commit``; None if there is none of at most
    hubfiles.SMALL_BYTES. Raises RemoteError."""
    hub, patience = _repo(repo), patience or Patience()
    there = _listing(hub, commit, patience, report).get(name)
    if there is None or there.size_bytes > hubfiles.SMALL_BYTES:
        return None
    with tempfile.TemporaryDirectory(prefix="zoo-lock-") as folder:
        fetch_files(Origin(hub, commit, f"hf:{repo}@{commit}"), [there], Path(folder), report, patience)
        return (Path(folder) / name).read_bytes()


def _repo(repo: str, *, quick: bool = False) -> HuggingFaceRepo:
    namespace, _, name = repo.partition("/")
    return HuggingFaceHub(Door(endpoint(), named=True, quick=quick)).repo("model", namespace, name)


def _listing(hub: HuggingFaceRepo, revision: str, patience: Patience, report: Reporter) -> dict[str, Listed]:
    try:
        return retrying(lambda: hub.listing(revision), patience, report, METADATA_TRIES)
    except RemoteError as error:
        raise _with_nearest(error, hub, revision) from error


def _pinned(file: Listed, pins: Mapping[str, str]) -> Listed:
    return Listed(file.path, file.size_bytes, pins.get(file.path, file.sha256), file.git_sha1)


def _refuse_other_pins(repo: str, revision: str, tree: Mapping[str, Listed], pins: Mapping[str, str]) -> None:
    """Raises RemoteError before anything is fetched that cannot be right."""
    for path, sha256 in sorted(pins.items()):
        there = tree.get(path)
        if there is None:
            raise SourceError(
                f"hf:{repo}@{revision} has no file {path}, which the lock file pins",
                remedy="Pin the source again with: zoo lock NAME. Then check what changed",
            )
        if there.sha256 and there.sha256 != sha256:
            raise RemoteError(
                f"{path} of hf:{repo}@{revision} differs from what the lock file pins: sha256 {there.sha256}, not "
                f"{sha256}",
                kind="hash_mismatch",
                facts={"path": path, "expected": sha256, "got": there.sha256, "removed": False},
                safe="Nothing was downloaded.",
                remedy="If you want the new file, pin the source again with: zoo lock NAME",
            )


def _with_nearest(error: RemoteError, hub: HuggingFaceRepo, revision: str | None) -> RemoteError:
    """The error for a wrong revision, with the nearest names."""
    if error.kind != "revision_not_found" or not revision:
        return error
    names: list[str] = []
    with suppress(Exception):  # the names only help
        refs = hub.refs()
        names = [*refs.branches, *refs.tags]
    near = difflib.get_close_matches(revision, names, 3, 0.4)
    if near:
        remedy = f"Did you mean {' or '.join(near)}?"
    else:
        remedy = f"Available: {', '.join(names[:10])}" if names else "Name a commit, a tag or a branch"
    facts = {**error.facts, "nearest": near or names[:10]}
    return RemoteError(error.what, kind=error.kind, facts=facts, remedy=remedy)


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


class _Fetched(TypedDict):
    """What was noted of files that were fetched: the digest of each by its path."""

    sha256: dict[str, str]


def _is_whole(target: Path, pins: Mapping[str, str]) -> bool:
    """Whether everything that was fetched is still here and matches the pins."""
    with suppress(OSError, ValueError):
        expected = shaped(jsontext.read(_record(target)), _Fetched)["sha256"] | dict(pins)
        return all(
            is_here(target / path, Listed(path, (target / path).stat().st_size, sha256))
            for path, sha256 in expected.items()
        )
    return False
