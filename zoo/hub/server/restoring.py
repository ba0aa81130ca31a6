"""A commit that the disk lost, written again by what its publisher knows of it.

The client of the Hub has no such request; ``zoo publish --repair`` makes it. A commit is named by the digest of its
content, so nobody can write another one under its name.
"""

from __future__ import annotations

import re
from typing import TypedDict

from zoo.files import filelist
from zoo.files.listing import FileRecord
from zoo.hub.folder import FolderRepo
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_PARENTS = 1000


class _Lost(TypedDict):
    """What is known of a commit. title: its complete message; parents: commits that it may follow."""

    files: list[FileRecord]
    title: str
    parents: list[str]


def commit(repo: FolderRepo, oid: str, request: Request) -> Answer:
    """Write a lost or damaged commit again; ``restored`` is false if what is known is not enough. Raises ApiError 400
    for what cannot be a commit."""
    told = request.shaped(_Lost)
    try:
        files = filelist.checked(told["files"])
    except ValueError as error:
        raise ApiError(400, f"the request cannot be used: {error}") from error
    if not _OID.match(oid) or len(told["parents"]) > _PARENTS:
        raise ApiError(400, "this is not a commit, or it has too many possible parents")
    return as_json({"restored": repo.restore_commit(oid, files, told["title"], told["parents"])})
