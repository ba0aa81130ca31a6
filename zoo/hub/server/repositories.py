"""Repositories as a whole: what may be done with them, and why the rest is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from catalog.access import PRIVATE, PUBLIC
from catalog.jsontext import JsonObject
from zoo.files.locks import locked
from zoo.files.whole import fsync
from zoo.hub.folder import FolderRepo
from zoo.hub.server.store import Store
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

KINDS = ("model", "dataset")
NO_PRIVATE = (
    "repositories of this hub are not private: it has no tokens, so anyone may read all of them. For private ones,"
    " start it with: zoo hub serve FOLDER --token-file FILE"
)
BY_DESIGN = {
    "super-squash": "history is never rewritten here, because published versions stay",
    "discussions": "there are no discussions and no pull requests here; commit to a branch instead",
    "settings": "repositories have no settings here",
    "lfs-files": "contents are never removed here, because published versions stay",
    "move": "repositories are never renamed here, because catalogs name their addresses",
    "sql-console": "there is no such service here",
}
"""What the Hub can do and this one does not, by the word of its address: the sentence of the refusal."""


def access_of(store: Store, data: JsonObject) -> str | None:
    """Who may read a repository, as a request asks for it; None if it does not say.

    Raises ApiError 400 for a private one where everybody may read the hub.
    """
    asked = data.get("visibility")
    if asked is None and data.get("private") is not None:
        asked = PRIVATE if data["private"] else PUBLIC
    if asked not in (None, PUBLIC) and (asked != PRIVATE or not store.closed):
        raise ApiError(400, NO_PRIVATE)
    return None if asked is None else str(asked)


def settings(store: Store, find: Callable[[], FolderRepo], request: Request) -> Answer:
    """Change who may read a repository: everybody who may read the hub, or, with tokens, the same people by its name.

    find: the repository. Raises ApiError 400 for anything else, also where there is no such repository yet: a client
    learns it before it sends anything.
    """
    data = request.json()
    if data.get("gated"):
        raise ApiError(400, "repositories of this hub are not gated: nobody has an account here to accept terms with")
    repo, asked = find(), access_of(store, data)
    if data.keys() - {"private", "visibility", "gated"}:
        raise ApiError(400, BY_DESIGN["settings"])
    if asked is not None and asked != repo.access():
        repo.set_access(asked)
    return as_json({"private": repo.access() != PUBLIC, "gated": False})


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
