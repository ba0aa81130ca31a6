"""The API's JSON for commits and files.

Every file is listed as an LFS file, because only this form includes the sha256.
``oid`` and ``blobId`` of a file are opaque: the first 40 digits of that sha256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from catalog.access import PUBLIC
from zoo.files.listing import FileRecord
from zoo.hub.folder import Body, FolderRepo
from zoo.hub.interface import BRANCH
from zoo.hub.server.cards import Card, card_of, tags_of
from zoo.hub.server.store import SHORT, Store, head_of, shown

_POINTER_BYTES = 134
_NULL_DATE = "1970-01-01T00:00:00.000Z"


class Lfs(TypedDict):
    """A file's content as LFS knows it."""

    oid: str
    size: int
    pointerSize: int


class Entry(TypedDict):
    """A file or folder of a tree; type is ``file`` or ``directory``."""

    type: str
    oid: str
    size: int
    path: str
    lastCommit: NotRequired[LastCommit | None]


class FileEntry(Entry):
    """A file of a tree."""

    lfs: Lfs


class LastCommit(TypedDict):
    """The commit that gave a file its content."""

    id: str
    title: str
    date: str


@dataclass(frozen=True)
class About:
    """A repository at a commit; oid is None before the first one. Dates are UTC, in ISO 8601."""

    kind: str
    identity: str
    oid: str | None
    files: Mapping[str, FileRecord]
    card: Card
    created: str
    last_modified: str
    private: bool

    @property
    def tags(self) -> list[str]:
        return tags_of(self.card, self.kind)


def about(store: Store, kind: str, identity: str, repo: FolderRepo, oid: str | None = None) -> About:
    """What a repository says at a commit, or at the head of its branch. Raises ZooError if the disk is damaged."""
    oid = oid or head_of(repo)
    files = repo.tree(oid) if oid else {}
    return About(kind, identity, oid, files, card_of(store, files), *_dates(repo, oid), repo.access() != PUBLIC)


def _dates(repo: FolderRepo, oid: str | None) -> tuple[str, str]:
    """When the first commit was written here, and when this one was."""
    times = [path.stat().st_mtime for path in (repo.folder / "commits").glob("[!.]*.json")]
    first = _date(min(times)) if times else _NULL_DATE
    return first, date_of(repo, oid) if oid else first


def info(about: About, *, blobs: bool) -> dict[str, object]:
    """A repository as the API shows it; ``sha`` is null before the first commit. blobs: with sizes and digests."""
    identity, card = about.identity, about.card
    data: dict[str, object] = {
        "_id": hashlib.sha256(f"{about.kind} {identity}".encode()).hexdigest()[:24],
        "id": identity,
        "author": identity.partition("/")[0],
        "sha": shown(about.oid) if about.oid else None,
        "lastModified": about.last_modified,
        "createdAt": about.created,
        "private": about.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": about.tags,
        "siblings": [_sibling(about.files[path], blobs) for path in sorted(about.files)],
    }
    if card.data:
        data["cardData"] = card.data
    if about.kind == "model":
        data["modelId"] = identity
        data |= {name: value for name in ("pipeline_tag", "library_name") if (value := card.text(name))}
    return data


def expanded(about: About, query: Mapping[str, list[str]]) -> dict[str, object] | None:
    """Only the properties that ``expand=`` names, of those that this hub knows; None without any name."""
    names = [name for text in query.get("expand", query.get("expand[]", ())) for name in text.split(",") if name]
    if not names:
        return None
    known = info(about, blobs=False) | {"trendingScore": 0, "downloadsAllTime": 0}
    if "model-index" in about.card.data:
        known["model-index"] = about.card.data["model-index"]
    return {name: known[name] for name in ("_id", "id", "modelId", *names) if name in known}


def contents(about: About) -> list[dict[str, object]]:
    """The contents at a commit, as the API lists LFS files."""
    return [
        {"fileOid": file.sha256[:SHORT], "filename": path, "oid": file.sha256, "pushedAt": about.last_modified,
         "ref": BRANCH, "size": file.size_bytes}
        for path, file in sorted(about.files.items())
    ]  # fmt: skip


def _sibling(file: FileRecord, blobs: bool) -> dict[str, object]:
    if not blobs:
        return {"rfilename": file.path}
    lfs = {"sha256": file.sha256, "size": file.size_bytes, "pointerSize": _POINTER_BYTES}
    return {"rfilename": file.path, "size": file.size_bytes, "blobId": file.sha256[:SHORT], "lfs": lfs}


def entry(file: FileRecord) -> FileEntry:
    """A file of a tree."""
    lfs: Lfs = {"oid": file.sha256, "size": file.size_bytes, "pointerSize": _POINTER_BYTES}
    return {
        "type": "file",
        "oid": file.sha256[:SHORT],
        "size": file.size_bytes,
        "path": file.path,
        "lfs": lfs,
    }


def _folder_entry(path: str, files: Iterable[FileRecord]) -> Entry:
    text = json.dumps([[file.path, file.sha256] for file in files])
    return {
        "type": "directory",
        "oid": hashlib.sha256(text.encode()).hexdigest()[:SHORT],
        "size": 0,
        "path": path,
    }


def entries(files: Mapping[str, FileRecord], folder: str, recursive: bool) -> list[Entry]:
    """Files and folders in ``folder`` (empty: the top), sorted by path."""
    start = f"{folder}/" if folder else ""
    inside = {path: file for path, file in sorted(files.items()) if path.startswith(start)}
    groups: dict[str, list[FileRecord]] = {}
    found: list[Entry] = []
    for path, file in inside.items():
        parts = path.removeprefix(start).split("/")
        if recursive or len(parts) == 1:
            found.append(entry(file))
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            groups.setdefault(start + "/".join(parts[:depth]), []).append(file)
    found += [_folder_entry(path, below) for path, below in groups.items()]
    return sorted(found, key=lambda item: str(item["path"]))


def paths_info(files: Mapping[str, FileRecord], paths: Iterable[str]) -> list[Entry]:
    """Those of ``paths`` that are files or folders; others are omitted, as on the Hub."""
    found: list[Entry] = []
    for path in dict.fromkeys(path.rstrip("/") for path in paths):
        below = [file for name, file in sorted(files.items()) if name.startswith(f"{path}/")]
        if path in files:
            found.append(entry(files[path]))
        elif below:
            found.append(_folder_entry(path, below))
    return found


def history(repo: FolderRepo, oid: str) -> list[tuple[str, Body]]:
    """(commit, its body), newest first."""
    found = []
    current: str | None = oid
    while current:
        body = repo.body(current)
        found.append((current, body))
        current = body["parent"]
    return found


def last_commits(repo: FolderRepo, oid: str) -> dict[str, LastCommit]:
    """For every file of a commit, the commit that gave it its content."""
    found: dict[str, LastCommit] = {}
    commits = history(repo, oid)
    wanted = commits[0][1]["files"]
    settled: set[str] = set()
    for commit, body in commits:
        for path in [path for path in wanted if path not in settled]:
            if body["files"].get(path) == wanted[path]:
                title = body["message"].partition("\n")[0]
                found[path] = {"id": shown(commit), "title": title, "date": date_of(repo, commit)}
            else:
                settled.add(path)
    return found


def refs(repo: FolderRepo) -> dict[str, object]:
    """Branches and tags."""
    there = repo.refs()
    return {
        "branches": [
            {"name": name, "ref": f"refs/heads/{name}", "targetCommit": shown(oid)}
            for name, oid in sorted(there.branches.items(), key=lambda item: (item[0] != BRANCH, item[0]))
        ],
        "tags": [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": shown(oid)}
            for name, oid in sorted(there.tags.items())
        ],
        "converts": [],
        "pullRequests": [],
    }


def commits(repo: FolderRepo, oid: str) -> list[dict[str, object]]:
    """The history as the API lists it."""
    return [
        {
            "id": shown(commit),
            "title": body["message"].partition("\n")[0],
            "message": body["message"].partition("\n")[2].strip("\n"),
            "date": date_of(repo, commit),
            "authors": [],
        }
        for commit, body in history(repo, oid)
    ]


def date_of(repo: FolderRepo, oid: str) -> str:
    """When a commit was written here; commits themselves have no time."""
    return _date((repo.folder / "commits" / f"{oid}.json").stat().st_mtime)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
