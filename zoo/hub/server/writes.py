"""Everything that changes the hub: create, preupload, LFS, commit, tag. Refusals change nothing."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

from catalog import jsontext
from catalog.access import PUBLIC
from catalog.jsontext import JsonObject
from catalog.shapes import shaped
from zoo.errors import InputError
from zoo.files.digests import git_blob_sha1
from zoo.files.filelist import MANIFEST
from zoo.files.listing import FileRecord
from zoo.hub.folder import FolderRepo
from zoo.hub.interface import BRANCH, SEND_AGAIN, HubConflict
from zoo.hub.server import multipart, repositories
from zoo.hub.server.access import Signer
from zoo.hub.server.store import NO_COMMIT, Store, branch_of, commit_of, head_of, shown
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

REGULAR_BYTES = 1 << 20
"""Files up to this size travel inside the commit; larger ones before it, each in a separate request."""

_TRIES = 20
_MESSAGE_CHARACTERS = 100_000
_MANIFEST_BYTES = 16 << 20
_VERSION = re.compile(r"v\d+\.\d+\.\d+")
"""How the tag of a version begins."""


def create(store: Store, request: Request) -> Answer:
    """A new repository; 409 with its address if it exists."""
    data = request.json()
    kind = data.get("type") or "model"
    if kind not in repositories.KINDS:
        raise ApiError(400, "only models and datasets are kept here")
    access = repositories.access_of(store, data) or PUBLIC
    namespace, name = data.get("organization") or "local", data.get("name")
    if not isinstance(namespace, str) or not isinstance(name, str):
        raise ApiError(400, "the repository has no name")
    identity = f"{namespace}/{name}"
    url = f"{request.base}/{'datasets/' if kind == 'dataset' else ''}{identity}"
    if not store.create(kind, namespace, name, access):
        raise ApiError(409, "You already created this repository", url=url)
    return as_json({"url": url, "name": identity, "id": identity})


class _File(TypedDict):
    path: str
    size: int


class _Announced(TypedDict):
    """Files that a commit will have."""

    files: list[_File]


def preupload(store: Store, repo: FolderRepo, request: Request) -> Answer:
    """How each file must be sent, and what the branch has at its path now."""
    head = head_of(repo)
    there = repo.tree(head) if head else {}
    files = []
    for item in request.shaped(_Announced)["files"]:
        path, size = item["path"], item["size"]
        mode = "regular" if size <= REGULAR_BYTES else "lfs"
        files.append({"path": path, "uploadMode": mode, "shouldIgnore": False})
        if path in there and there[path].size_bytes == size:
            files[-1]["oid"] = there[path].sha256 if mode == "lfs" else _git_blob(store, there[path])
    return as_json({"files": files, "commitOid": shown(head) if head else None})


def _git_blob(store: Store, file: FileRecord) -> str:
    """The client compares small files by git's own digest."""
    return _git_digest(str(store.whole(file).path))


@functools.lru_cache(4096)
def _git_digest(path: str) -> str:
    return git_blob_sha1(Path(path).read_bytes())


class _Object(TypedDict):
    oid: str
    size: int


class _Batch(TypedDict):
    """A request of Git LFS (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md)."""

    operation: str
    objects: list[_Object]
    hash_algo: NotRequired[str]
    transfers: NotRequired[list[str] | None]


def lfs_batch(
    store: Store, signer: Signer, request: Request, parts_above: int, part: int
) -> Answer:
    """Addresses for missing contents; in parts of ``part`` bytes above ``parts_above``."""
    data = request.shaped(_Batch)
    if data["operation"] != "upload" or data.get("hash_algo", "sha256") != "sha256":
        raise ApiError(400, "only uploads by sha256 are offered")
    objects, can_parts = [], "multipart" in (data.get("transfers") or ())
    # Reading every content would make each upload wait; a publisher who found one damaged asks for it.
    again = SEND_AGAIN in request.headers
    for item in data["objects"]:
        oid, size = item["oid"], item["size"]
        if size < 0:
            raise ApiError(400, "an object has a size below zero")
        found: dict[str, object] = {"oid": oid, "size": size, "authenticated": True}
        if store.size_of(oid) != size or (again and not store.is_sound(oid)):
            upload: dict[str, object] = {"href": f"{request.base}/lfs/{oid}?{signer.query(oid, size)}"}
            if can_parts and size > parts_above:
                length = multipart.part_bytes(size, part)
                upload = multipart.upload_action(signer, request.base, oid, size, length)
            # Nothing to verify later: a content is stored only if it has its digest.
            found["actions"] = {"upload": upload}
        objects.append(found)
    return as_json({"transfer": "basic", "objects": objects})


def lfs_put(store: Store, signer: Signer, oid: str, request: Request) -> Answer:
    """The bytes of one content. The signed address is the permission."""
    size = signer.check(oid, request.one("size"), request.one("expires"), request.one("signature"))
    if request.left != size:
        raise ApiError(400, f"the upload has {request.left} bytes, not {size} as announced")
    store.receive(request.read, size, oid)
    return as_json({})


def lfs_verify(store: Store, request: Request) -> Answer:
    """Whether a content arrived."""
    data = request.json()
    oid, size = data.get("oid"), data.get("size")
    if not isinstance(oid, str) or store.size_of(oid) != size:
        raise ApiError(404, "this hub does not have the content")
    return as_json({"message": "ok"})


def commit(store: Store, repo: FolderRepo, identity: str, revision: str, request: Request) -> Answer:
    """One commit on a branch; 412 if its head is not the named parent."""
    branch = branch_of(repo, revision)
    if request.one("create_pr") or branch is None:
        raise ApiError(400, f"commits go to {BRANCH} or another branch that exists. There are no pull requests")
    header: JsonObject | None = None
    adds: dict[str, FileRecord] = {}
    deletes: list[tuple[str, bool]] = []
    for line in request.lines():
        key, value = line.get("key"), line.get("value")
        if not isinstance(value, dict):
            raise ApiError(400, "a line of the commit has no value")
        if key == "header":
            header = value
        elif key in ("file", "lfsFile"):
            file = _inline(store, value) if key == "file" else _uploaded(store, value)
            adds[file.path] = file
        elif key in ("deletedFile", "deletedFolder"):
            deletes.append((_text(value, "path"), key == "deletedFolder"))
        else:
            raise ApiError(400, "a line of the commit has an unknown kind")
    if header is None:
        raise ApiError(400, "the commit has no header")
    oid = _write(repo, branch, header, adds, deletes)
    url = f"{request.base}/{identity}/commit/{shown(oid)}"
    return as_json({"success": True, "commitOid": shown(oid), "commitUrl": url, "hookOutput": ""})


def _write(
    repo: FolderRepo,
    branch: str,
    header: JsonObject,
    adds: dict[str, FileRecord],
    deletes: list[tuple[str, bool]],
) -> str:
    named = header.get("parentCommit")
    message, more = _text(header, "summary")[:1000], header.get("description")
    if isinstance(more, str) and more.strip():
        message = f"{message}\n\n{more}"[:_MESSAGE_CHARACTERS]
    for _ in range(1 if named else _TRIES):
        parent = _parent(repo, named) if named else repo.refs().branches.get(branch)
        gone = _deleted(repo.tree(parent) if parent else {}, deletes)
        try:
            return repo.commit(parent, adds.values(), gone, message, branch)
        except HubConflict as error:
            conflict = error
        except InputError as error:
            raise ApiError(400, error.what) from error
    raise ApiError(412, f"A commit has happened since. Please refresh and try again: {conflict.what}")


def _parent(repo: FolderRepo, named: object) -> str | None:
    if named == NO_COMMIT:
        return None
    try:
        return commit_of(repo, str(named))
    except ApiError as error:
        raise ApiError(412, "this hub does not have the parent that the commit names") from error


def _deleted(there: Mapping[str, FileRecord], deletes: list[tuple[str, bool]]) -> list[str]:
    gone = []
    for path, is_folder in deletes:
        found = [p for p in there if p.startswith(path.rstrip("/") + "/")] if is_folder else [path]
        if not found or (not is_folder and path not in there):
            raise ApiError(404, "A file with this name doesn't exist", "EntryNotFound")
        gone += found
    return gone


def _inline(store: Store, value: JsonObject) -> FileRecord:
    path, content = _text(value, "path"), _text(value, "content")
    try:
        raw = base64.b64decode(content, validate=True) if value.get("encoding") == "base64" else None
    except (binascii.Error, ValueError):
        raw = None
    if raw is None:
        raise ApiError(400, "a file of the commit is not in base64")
    sha256 = hashlib.sha256(raw).hexdigest()
    if store.size_of(sha256) != len(raw):
        store.receive(io.BytesIO(raw).read, len(raw), sha256)
    return FileRecord(path, len(raw), sha256)


def _uploaded(store: Store, value: JsonObject) -> FileRecord:
    path, oid = _text(value, "path"), _text(value, "oid")
    size = store.size_of(oid)
    if size is None or value.get("size", size) != size:
        raise ApiError(400, "the content of a file of the commit was not uploaded")
    return FileRecord(path, size, oid)


def tag(repo: FolderRepo, revision: str, request: Request) -> Answer:
    """A new tag; 409 if a tag of this name exists on any commit."""
    data = request.json()
    name, message = _text(data, "tag"), data.get("message")
    message = message[:_MESSAGE_CHARACTERS] if isinstance(message, str) else ""
    refs = repo.refs()
    if name in refs.tags:
        raise ApiError(409, "Tag reference exists already")
    if name in refs.branches or _like_a_commit(name):
        raise ApiError(400, "this name belongs to a branch, or looks like a commit or a reference")
    try:
        repo.tag(name, commit_of(repo, revision), message)
    except HubConflict as error:
        raise ApiError(409, "Tag reference exists already") from error
    except InputError as error:
        raise ApiError(400, error.what) from error
    return as_json({})


def untag(repo: FolderRepo, name: str) -> Answer:
    """Delete a tag; 403 for the tag of a version, unless it is on the commit of another version."""
    there = repo.refs().tags.get(name)
    if there is None:
        raise ApiError(404, f"tag {name[:100]} was not found", "RevisionNotFound")
    if _VERSION.match(name) and _held(repo, there) in (None, name[1:]):
        raise ApiError(403, f"tag {name[:100]} is that of a version, and published versions stay")
    repo.untag(name)
    return as_json({})


def _held(repo: FolderRepo, oid: str) -> str | None:
    """The version that a commit holds, by its own list; None if it has no such list."""
    if MANIFEST not in repo.tree(oid):
        return None
    with repo.open(oid, MANIFEST) as stream:
        raw = stream.read(_MANIFEST_BYTES)
    try:
        return shaped(jsontext.parse(raw), _Manifest)["version"]
    except ValueError:
        return None


class _Manifest(TypedDict):
    version: str


def begin(repo: FolderRepo, name: str, request: Request) -> Answer:
    """A new branch; 409 if there is one of this name. The main branch is set again if the commit that it is on is
    lost."""
    start = request.json().get("startingPoint") or BRANCH
    refs = repo.refs()
    if name in refs.branches and name == BRANCH and repo.restore_branch(name, str(start)):
        return as_json({})
    if name in refs.branches:
        raise ApiError(409, "Reference already exists")
    if name in refs.tags or _like_a_commit(name):
        raise ApiError(400, "this name belongs to a tag, or looks like a commit or a reference")
    try:
        oid = commit_of(repo, str(start))
        if name == BRANCH:
            repo.restore_branch(name, oid)  # it was lost: a repository with a commit has it
        else:
            repo.begin(name, oid)
    except InputError as error:
        raise ApiError(400, error.what) from error
    return as_json({})


def end(repo: FolderRepo, name: str) -> Answer:
    """Delete a branch; 403 for the main one."""
    if name == BRANCH:
        raise ApiError(403, f"the branch {BRANCH} is never removed here")
    if name not in repo.refs().branches:
        raise ApiError(404, f"branch {name[:100]} was not found", "RevisionNotFound")
    repo.end(name)
    return as_json({})


def _like_a_commit(name: str) -> bool:
    return name.startswith("refs/") or (len(name) in (40, 64) and not name.strip("0123456789abcdef"))


def _text(value: JsonObject, name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise ApiError(400, f"{name} is missing")
    return found
