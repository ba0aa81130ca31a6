"""What is read of a repository: branches and tags, lists of files, headers, contents, commits."""

from __future__ import annotations

import io
import re
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, cast

from zoo.hub.huggingface import incoming, limits
from zoo.hub.huggingface.client import plain
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.session import READ_SECONDS
from zoo.hub.huggingface.stream import Body
from zoo.hub.interface import ABSENT_COMMIT, ABSENT_FILE, CommitNote, Listed, Refs, Served

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SHA1 = re.compile(r"[0-9a-f]{40}\Z")


def refs(door: Door, kind: str, identity: str) -> Refs | None:
    """Branches and tags; None if there is no repository."""
    with plain(door, identity):
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        try:
            found = door.api(kind, identity).list_repo_refs(identity, repo_type=kind)
        except GatedRepoError:
            raise  # for the client, a gated repository is one that was not found
        except RepositoryNotFoundError:
            return None
        tags = {ref.name: ref.target_commit for ref in found.tags}
        return Refs({ref.name: ref.target_commit for ref in found.branches}, tags)


def files(door: Door, kind: str, identity: str, revision: str) -> list[RepoFile]:
    """The files of a commit, as the hub lists them. Raises RemoteError, also for an entry that no hub sends."""
    with plain(door, identity):
        from huggingface_hub.hf_api import RepoFile

        found = door.api(kind, identity).list_repo_tree(
            identity, recursive=True, revision=revision, repo_type=kind
        )
        files = [entry for entry in found if isinstance(entry, RepoFile)]
        for file in files:
            incoming.check_entry(file, door.asking(identity, revision))
        return files


def head(door: Door, kind: str, identity: str, revision: str, path: str) -> Served:
    """What the hub says of a file, in one HEAD request."""
    with plain(door, identity):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        api = door.api()
        url = hf_hub_url(
            identity, path, repo_type=kind, revision=revision, endpoint=api.endpoint
        )
        try:
            # The client's own method would leave out the headers, and with them for whom the token is.
            found = get_hf_file_metadata(
                url, token=api.token, timeout=READ_SECONDS, endpoint=api.endpoint, headers=api.headers
            )
        except GatedRepoError:
            raise
        except EntryNotFoundError:
            return Served(ABSENT_FILE)
        except (RevisionNotFoundError, RepositoryNotFoundError):
            return Served(ABSENT_COMMIT)
    etag = found.etag or ""
    return Served(
        None,
        found.size,
        etag if _SHA256.match(etag) else None,
        etag if _SHA1.match(etag) else None,
    )


def history(door: Door, kind: str, identity: str, revision: str, until: str | None) -> list[CommitNote]:
    """At most 50 commits, the newest first, up to ``until``."""
    with plain(door, identity):
        found = door.api(kind, identity).list_repo_commits(identity, revision=revision, repo_type=kind)
    notes = []
    for commit in found[:50]:
        if commit.commit_id == until:
            break
        date = commit.created_at.strftime("%Y-%m-%dT%H:%M:%SZ") if commit.created_at else ""
        notes.append(CommitNote(commit.commit_id, tuple(commit.authors), date, commit.title))
    return notes


def stream(
    door: Door, kind: str, identity: str, revision: str, file: Listed, offset: int = 0
) -> IO[bytes]:
    """The content of a file from ``offset``, in bytes; close it."""
    stack = ExitStack()
    with plain(door, identity):
        headers = {**door.headers(kind, identity), "Accept-Encoding": "identity"}
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, lazy
            get_session,
            hf_raise_for_status,
        )

        url = hf_hub_url(
            identity, file.path, repo_type=kind, revision=revision, endpoint=door.address
        )
        if offset:
            headers["Range"] = f"bytes={offset}-"
        response = stack.enter_context(
            get_session().stream("GET", url, headers=headers, extensions={limits.FILE: True})
        )
        if response.status_code == 416:
            stack.close()
            return io.BytesIO()
        hf_raise_for_status(response)
        skip = offset if response.status_code == 200 else 0
        body = io.BufferedReader(Body(door, stack, response.iter_raw(1 << 20), file.size_bytes - offset + skip))
    while skip > 0 and (data := body.read(min(skip, 1 << 20))):
        skip -= len(data)
    return cast("IO[bytes]", body)
