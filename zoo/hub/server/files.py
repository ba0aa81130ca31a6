"""``resolve``: the content of a file, complete or a range, with the headers that the client needs."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import quote

from zoo.hub.folder import FolderRepo
from zoo.hub.server.store import Store, commit_of, shown
from zoo.hub.server.wire import Answer, ApiError, Request, Slice, as_json

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*\Z")


def resolve(store: Store, repo: FolderRepo, revision: str, path: str, request: Request) -> Answer:
    """The answer to HEAD and GET of ``/NAMESPACE/NAME/resolve/REVISION/PATH``."""
    oid = commit_of(repo, revision)
    file = repo.tree(oid).get(path)
    if file is None:
        error = {"error": "Entry not found"}
        headers = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        return as_json(error, 404, {**headers, "X-Repo-Commit": shown(oid)})
    whole = store.whole(file)
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "X-Linked-ETag": etag,
        "X-Linked-Size": str(file.size_bytes),
        "X-Repo-Commit": shown(oid),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2])}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == etag:
        return Answer(304, headers=headers)
    wanted = request.headers.get("Range", "")
    if not wanted or request.headers.get("If-Range", etag) != etag:
        return Answer(200, headers=headers, file=whole)
    part = cut(whole, wanted)
    if part is None:
        return Answer(200, headers=headers, file=whole)
    last = part.offset + part.length - 1
    headers["Content-Range"] = f"bytes {part.offset}-{last}/{whole.length}"
    return Answer(206, headers=headers, file=part)


def cut(whole: Slice, wanted: str) -> Slice | None:
    """The range in a Range header; None for forms that may be ignored. Raises ApiError 416."""
    found = _RANGE.match(wanted)
    if found is None or not any(found.groups()):
        return None
    size = whole.length
    if found[1]:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    else:
        first, last = max(size - int(found[2]), 0), size - 1
    if first > last:
        raise ApiError(416, f"the file has {size} bytes")
    return dataclasses.replace(whole, offset=first, length=last - first + 1)
