"""Repositories as a whole: what may be done with them, and why the rest is refused."""

from __future__ import annotations

import os
import shutil

from catalog.jsontext import JsonObject
from zoo.files.locks import locked
from zoo.files.whole import fsync
from zoo.hub.server.store import Store
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

KINDS = ("model", "dataset")
NO_PRIVATE = (
    "repositories of this hub are not private: anyone who may read the hub reads all of them. For a private one,"
    " serve another folder with another token file"
)
BY_DESIGN = {
    "super-squash": "history is never rewritten here, because published versions stay",
    "discussions": "there are no discussions and no pull requests here; commit to a branch instead",
    "settings": "repositories have no settings here",
    "lfs-files": "contents are never removed here, because published versions stay",
    "move": "repositories are never renamed here, because catalogs name their addresses",
    "collections": "there are no collections here",
    "sql-console": "there is no such service here",
}
"""What the Hub can do and this one does not, by the word of its address: the sentence of the refusal."""


def refuse_private(data: JsonObject) -> None:
    """Raises ApiError 400 where a request asks for a repository that not everybody may read."""
    if data.get("private") or data.get("visibility") not in (None, "public"):
        raise ApiError(400, NO_PRIVATE)


def settings(request: Request) -> Answer:
    """Change the settings of a repository: only to what they are. Raises ApiError 400."""
    data = request.json()
    refuse_private(data)
    if data.get("gated"):
        raise ApiError(400, "repositories of this hub are not gated: anyone who may read the hub reads all of them")
    if data.keys() - {"private", "visibility", "gated"}:
        raise ApiError(400, BY_DESIGN["settings"])
    return as_json({"private": False, "gated": False})


def delete(store: Store, request: Request) -> Answer:
    """Delete a repository that has no tag, such as one for a trial. Raises ApiError 403 if it has a version."""
    data = request.json()
    kind, namespace, name = data.get("type") or "model", data.get("organization") or "local", data.get("name")
    if kind not in KINDS:
        raise ApiError(400, "only models and datasets are kept here")
    repo = store.repo(str(kind), str(namespace), str(name))
    store.incoming.mkdir(parents=True, exist_ok=True)
    gone = store.incoming / f"gone-{os.getpid()}-{os.urandom(8).hex()}"
    with locked(repo.folder / "lock"):
        if repo.refs().tags:
            raise ApiError(403, "this repository has tags, and published versions stay")
        # Atomically: either all of it is there or nothing.
        repo.folder.rename(gone)
    fsync(repo.folder.parent)
    shutil.rmtree(gone, ignore_errors=True)
    return as_json({})
