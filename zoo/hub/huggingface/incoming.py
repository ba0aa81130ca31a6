"""Reading from a hub that speaks the Hub's API: the file list of a commit, and files with ranges.

Redirects are followed here and not by the HTTP library, because the token must only go to the hub's own scheme, host
and port, and because the hub announces size and digest before it redirects to its storage.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from zoo.addresses import origin
from zoo.errors import RemoteError, ZooError
from zoo.hub.huggingface import answers, faults, limits
from zoo.hub.huggingface.asked import Asked, not_a_hub
from zoo.hub.huggingface.client import XET
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.session import BOUND, READ_SECONDS, bounded
from zoo.hub.interface import Incoming, Listed

if TYPE_CHECKING:
    from httpx2 import Client, Response
    from huggingface_hub import HfApi, HfFileMetadata
    from huggingface_hub.hf_api import RepoFile

HOPS = 6
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z")
_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}\Z"), re.compile(r"[0-9a-f]{40}\Z")
_DIGEST = re.compile(r'(?:W/)?"?([0-9a-f]{40}|[0-9a-f]{64})"?\Z')


def listing(door: Door, kind: str, repository: str, revision: str) -> dict[str, Listed]:
    """The files of a revision with the digests in its tree. Raises RemoteError."""
    try:
        with told(door, repository, revision), bounded():
            api = door.api()
            from huggingface_hub.hf_api import RepoFile

            found = api.list_repo_tree(repository, recursive=True, revision=revision, repo_type=kind)
            files = [entry for entry in found if isinstance(entry, RepoFile)]
    except RemoteError as error:
        # The client has tried this several times itself, except for waits that the hub asks for and stalls.
        error.transient &= error.kind in ("rate_limited", "stalled")
        raise
    for file in files:
        check_entry(file, door.asking(repository, revision))
    return {file.path: _listed(file) for file in files}


def check_entry(file: RepoFile, asked: Asked) -> None:
    """Raises RemoteError if a hub cannot have listed such a file."""
    sizes = [file.size, file.lfs.size] if file.lfs else [file.size]
    digest = _SHA256.match(file.lfs.sha256) if file.lfs else _SHA1.match(file.blob_id)
    if not digest or any(not isinstance(size, int) or size < 0 for size in sizes):
        raise not_a_hub(asked)


def _listed(file: RepoFile) -> Listed:
    if file.lfs:
        return Listed(file.path, file.lfs.size, file.lfs.sha256)
    return Listed(file.path, file.size, None, file.blob_id)


def commit_of(door: Door, kind: str, repository: str, revision: str | None) -> str:
    """The commit that a branch or tag (None: the main branch) is on now. Raises RemoteError."""
    with told(door, repository, revision or ""), bounded():
        return str(door.api().repo_info(repository, revision=revision, repo_type=kind).sha)


@dataclass(frozen=True)
class Span:
    """Bytes ``begin`` to ``end`` of a file."""

    file: Listed
    begin: int
    end: int

    @property
    def is_part(self) -> bool:
        return self.begin > 0 or self.end < self.file.size_bytes


def open_incoming(
    door: Door, kind: str, repository: str, revision: str, span: Span, stall_seconds: float
) -> Incoming:
    """The bytes of a span. Raises RemoteError, also if a different file is announced."""
    file, begin = span.file, span.begin
    asked = door.asking(repository, revision, file.path)
    with told(door, repository, revision, file.path):
        door.api()
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import get_session  # type: ignore[attr-defined]  # public, lazy

        url = hf_hub_url(repository, file.path, repo_type=kind, revision=revision, endpoint=door.address)
        response, announced = _follow(get_session(), url, door, asked, span, stall_seconds)
        try:
            if file.size_bytes == begin and response.status_code == 416:
                response.close()
                return Incoming(begin, iter(()), response.close)
            if response.status_code >= 400:
                _read_little(response)
                headers = _plain(response.headers)
                away = origin(str(response.url)) != origin(asked.address)
                refused = answers.stored(response.status_code, headers, asked) if away else None
                raise refused or answers.answered(response.status_code, headers, asked, time.time())
            start = _check(response, announced, file, asked, begin)
        except BaseException:
            response.close()
            raise
    until = span.end if response.status_code == 206 else file.size_bytes
    chunks = _chunks(response, door, asked, until - start)
    ranged = response.status_code == 206 or (
        not span.is_part and "bytes" in response.headers.get("accept-ranges", "")
    )
    return Incoming(start, chunks, response.close, ranged)


def by_client(door: Door, kind: str, repository: str, revision: str, file: Listed, folder: Path) -> Path:
    """The complete file through the official client's own download: xet storage if hub and client support it."""
    with told(door, repository, revision, file.path), limits.of_file(file.size_bytes):
        api = door.api()

        def download() -> str:
            return str(
                api.hf_hub_download(
                    repository, file.path, repo_type=kind, revision=revision, local_dir=folder,
                    force_download=True,
                )
            )  # fmt: skip

        announced = _announced(api, repository, file.path, kind, revision)
        if announced.size not in (None, file.size_bytes):
            asked = door.asking(repository, revision, file.path)
            what = f"{asked.address} announces {file.path} with {announced.size} bytes, not {file.size_bytes}"
            raise faults.wrong("wrong_length", what, asked, file.size_bytes, str(announced.size))
        if door.address.startswith("http://") or not _refreshes_at_home(api, announced):
            with XET.off():
                return Path(download())
        return Path(download())


def _announced(api: HfApi, repository: str, path: str, kind: str, revision: str) -> HfFileMetadata:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, path, repo_type=kind, revision=revision, endpoint=api.endpoint)
    return get_hf_file_metadata(
        url, token=api.token, timeout=READ_SECONDS, endpoint=api.endpoint, headers=api.headers
    )


def _refreshes_at_home(api: HfApi, announced: HfFileMetadata) -> bool:
    """Whether the xet storage's client would take the user's token only to the hub: it has connections of its own, and
    asks for new keys at the address that the hub names in its answer.
    """
    xet = announced.xet_file_data
    return xet is None or origin(xet.refresh_route) == origin(str(api.endpoint))


@contextmanager
def told(door: Door, repository: str, revision: str = "", path: str = "") -> Iterator[None]:
    """Errors of the client and of the HTTP library under it as a RemoteError."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        found = faults.of(error, door.asking(repository, revision, path), time.time())
        if found is None:
            raise
        raise (door.contact.judged(found) if isinstance(found, RemoteError) else found) from error


def _follow(
    session: Client, url: str, door: Door, asked: Asked, span: Span, stall_seconds: float
) -> tuple[Response, dict[str, str]]:
    """The last answer, its body unread, and what the hub announced before it."""
    home, announced = origin(asked.address), dict[str, str]()
    with_token = door.headers()
    secret = ("authorization", BOUND.lower())
    without = {name: value for name, value in with_token.items() if name.lower() not in secret}
    wanted = {"Accept-Encoding": "identity"}
    if span.is_part:
        wanted["Range"] = f"bytes={span.begin}-{span.end - 1}"
    why = "in a circle"
    for _ in range(HOPS):
        at_home = origin(url) == home
        if not at_home and asked.address.startswith("https://") and not url.startswith("https://"):
            why = "to an address that is not https"
            break
        request = session.build_request(
            "GET", url, headers={**(with_token if at_home else without), **wanted}, timeout=stall_seconds
        )
        response = session.send(request, stream=True, follow_redirects=False)
        if at_home:
            for name in ("x-repo-commit", "x-linked-etag", "x-linked-size"):
                if name in response.headers:
                    announced[name] = response.headers[name]
            if response.status_code in (200, 206) and "etag" in response.headers:
                announced.setdefault("x-linked-etag", response.headers["etag"])
        if response.status_code not in (301, 302, 303, 307, 308):
            return response, announced
        url = urljoin(url, response.headers.get("location", ""))
        response.close()
    raise RemoteError(
        f"{asked.address} redirects {why}",
        kind="refused", facts={"address": asked.address}, remedy="Check the address",
    )  # fmt: skip


def _check(response: Response, announced: dict[str, str], file: Listed, asked: Asked, begin: int) -> int:
    """Where the body begins; everything announced must match ``file``. Raises RemoteError."""
    headers = response.headers
    if not announced and "text/html" in headers.get("content-type", ""):
        raise not_a_hub(asked)
    if headers.get("content-encoding", "identity") != "identity":
        raise not_a_hub(asked)
    commit = announced.get("x-repo-commit", "")
    if commit and not (asked.revision.startswith(commit) or commit.startswith(asked.revision)):
        what = f"{asked.address} answered for commit {commit[:12]} when asked for {asked.revision[:12]}"
        raise faults.wrong("wrong_revision", what, asked, asked.revision, commit)
    etag = _DIGEST.match(announced.get("x-linked-etag", ""))
    known = {64: file.sha256, 40: file.git_sha1}
    if etag and (expected := known[len(etag[1])]) and etag[1] != expected:
        what = f"{asked.address} announces {asked.path} with digest {etag[1][:12]}, not {expected[:12]}"
        raise faults.wrong("wrong_etag", what, asked, expected, etag[1])
    start, sizes = 0, [_number(announced.get("x-linked-size"))]
    if response.status_code == 206:
        found = _RANGE.match(headers.get("content-range", ""))
        if not found or int(found[1]) != begin:
            raise not_a_hub(asked)
        start = begin
        sizes.append(int(found[3]))
    else:
        sizes.append(_number(headers.get("content-length")))
    for total in sizes:
        if total is not None and total != file.size_bytes:
            what = f"{asked.address} announces {asked.path} with {total} bytes, not {file.size_bytes}"
            raise faults.wrong("wrong_length", what, asked, file.size_bytes, total)
    return start


def _chunks(response: Response, door: Door, asked: Asked, length: int) -> Iterator[bytes]:
    """The body, of which ``length`` bytes are wanted. Raises RemoteError if there are more."""
    left = length
    with told(door, asked.repository, asked.revision, asked.path):
        # As they arrive, so that a slow connection is noticed.
        for chunk in response.iter_raw():
            if left:
                yield chunk[:left]
            if len(chunk) > left:
                what = f"{asked.address} sends more than the {length} bytes of {asked.path} that were requested"
                raise faults.wrong("wrong_length", what, asked, length, "more")
            left -= len(chunk)


def _read_little(response: Response) -> None:
    """Read enough of a refusal so that the connection can be used again."""
    if (_number(response.headers.get("content-length")) or 1 << 20) < 1 << 16:
        response.read()


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
