"""What a hub may cost: bytes, pages and time. It may be slow, but not endless, whatever it announces.

One question (a list of files, the branches, a commit) may have several pages as its answer. Time is given for progress:
a slow connection that brings bytes is waited for, one that brings next to none is not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from catalog.words import counted
from zoo.errors import RESUMES, RemoteError

if TYPE_CHECKING:
    from httpx2 import Client, Request, Response

MOST_ANSWER_BYTES = 64 << 20
"""Of all pages of one answer. A file in a list takes about 250 bytes, and a hub advises against more than 100,000
files in a repository: 25 MB."""

MOST_PAGES = 2000
"""Of one answer: 100,000 files, 50 a page."""

GRACE_SECONDS = 120.0
LEAST_BYTES_PER_SECOND = 1024.0
"""An answer may take this long, and longer by its length at this rate, which is that of the downloads."""

SMALL_BYTES = 1 << 20
"""Of an answer that only leads to a file."""

FILE = "zoo_file"
"""Extension of a request for the content of a file, whose reader counts what arrives."""

_file_bytes: ContextVar[int | None] = ContextVar("file_bytes", default=None)


@contextmanager
def of_file(size_bytes: int) -> Iterator[None]:
    """Within the block, no answer to a request of this thread is longer than a file of this size."""
    before = _file_bytes.set(size_bytes)
    try:
        yield
    finally:
        _file_bytes.reset(before)


@dataclass
class Question:
    """What one question has cost so far. Time counts from its first request."""

    began: float | None = None
    pages: int = 0
    bytes: int = 0

    def ask(self, request: Request) -> None:
        """Count a request to read. Raises RemoteError for one too many."""
        if request.method != "GET":
            return
        self.began = time.monotonic() if self.began is None else self.began
        self.pages += 1
        if self.pages > MOST_PAGES:
            raise endless(request, f"more than {MOST_PAGES:,} pages for one answer")
        self.in_time(request)

    def in_time(self, request: Request) -> None:
        """Raises RemoteError if too little arrived for the time that the answer takes."""
        seconds = time.monotonic() - self.began if self.began is not None else 0.0
        if seconds > GRACE_SECONDS + self.bytes / LEAST_BYTES_PER_SECOND:
            raise too_slow(_host(request), self.bytes, seconds)

    def count(self, request: Request, amount: int) -> None:
        """Count bytes that arrived. Raises RemoteError if they are too many."""
        self.bytes += amount
        if self.bytes > MOST_ANSWER_BYTES:
            raise endless(request, f"more than {MOST_ANSWER_BYTES >> 20} MiB for one answer")
        self.in_time(request)


def watch(response: Response, question: Question | None) -> None:
    """Count the body of an answer while it is read. Raises RemoteError for a body that is compressed: nobody asked for
    that, and some kilobytes of it can become gigabytes.
    """
    request = response.request
    file_bytes = _file_bytes.get()
    if request.extensions.get(FILE) or (question is None and file_bytes is None):
        return
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RemoteError(
            f"{_host(request)} sent a compressed answer, although none was requested. Is there a proxy in between?",
            kind="proxy", facts={"address": _host(request)}, remedy="Check the address and the network",
        )  # fmt: skip
    base = sys.modules[type(response).__module__.partition(".")[0]].SyncByteStream
    counted = _Counted(response.stream, request, question, file_bytes)  # type: ignore[arg-type]  # a byte stream
    # The library only reads a body of its own type.
    response.stream = type("Counted", (_Body, base), {})(counted)


@dataclass
class _Counted:
    """The bytes of a body, counted."""

    inner: _Bytes
    request: Request
    question: Question | None
    file_bytes: int | None
    taken: int = 0

    def chunks(self) -> Iterator[bytes]:
        for chunk in self.inner:
            self.taken += len(chunk)
            if self.file_bytes is not None:
                if self.taken > max(self.file_bytes, SMALL_BYTES):
                    raise endless(self.request, f"more than the {self.file_bytes} bytes of the file")
            elif self.question is not None:
                self.question.count(self.request, len(chunk))
            yield chunk


class _Bytes(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class _Body:
    def __init__(self, counted: _Counted) -> None:
        self._counted = counted

    def __iter__(self) -> Iterator[bytes]:
        return self._counted.chunks()

    def close(self) -> None:
        self._counted.inner.close()


def endless(request: Request, what: str) -> RemoteError:
    """The error of a hub that does not stop."""
    host = _host(request)
    return RemoteError(f"{host} sent {what}, and no hub does that. The answer was not used", kind="endless",
                       facts={"address": host}, remedy="Check the address")  # fmt: skip


def too_slow(host: str, amount: int, seconds: float) -> RemoteError:
    """The error of a connection that brings next to nothing."""
    came = f"only {counted(amount, 'byte')} arrived from {host} in {counted(round(seconds), 'second')}"
    return RemoteError(came, kind="stalled",
                       facts={"address": host, "bytes": amount, "seconds": round(seconds, 1)}, transient=True,
                       remedy="Check the network", again=RESUMES)  # fmt: skip


def _host(request: Request) -> str:
    url = request.url
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"


class _Wire(Protocol):
    """A connection of the library under the client's HTTP library."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...
    def write(self, buffer: bytes, timeout: float | None = None) -> None: ...
    def close(self) -> None: ...
    def get_extra_info(self, info: str) -> object: ...


class _Network(Protocol):
    """What opens connections for it."""

    def connect_tcp(self, host: str, *rest: object, **named: object) -> _Wire: ...


def guard(client: Client) -> None:
    """No answer of this client's connections may drip for ever, its head included: the library limits only each step.

    The place is not public; a version of the library without it has only the limits of each body.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        network = getattr(pool, "_network_backend", None)
        if pool is not None and network is not None:
            pool._network_backend = _Guarded(network)


@dataclass
class _Guarded:
    inner: _Network

    def connect_tcp(self, host: str, *rest: object, **named: object) -> _Dripping:
        return _Dripping(self.inner.connect_tcp(host, *rest, **named), host)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@dataclass
class _Dripping:
    """A connection that is refused when it drips. Only the time in which an answer is awaited counts: not that of a
    hub that thinks before its first byte, and not that of a reader who is busy."""

    inner: _Wire
    host: str
    begun: bool = field(default=False, init=False)
    waited: float = field(default=0.0, init=False)
    arrived: int = field(default=0, init=False)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        began = time.monotonic()
        data = self.inner.read(max_bytes, timeout)
        if self.begun:
            self.waited += time.monotonic() - began
        self.begun = True
        self.arrived += len(data)
        if self.waited > GRACE_SECONDS + self.arrived / LEAST_BYTES_PER_SECOND:
            raise too_slow(self.host, self.arrived, self.waited)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.begun, self.waited, self.arrived = False, 0.0, 0
        self.inner.write(buffer, timeout)

    def start_tls(self, *given: object, **named: object) -> _Dripping:
        return _Dripping(self.inner.start_tls(*given, **named), self.host)  # type: ignore[attr-defined]  # as above

    def close(self) -> None:
        self.inner.close()

    def get_extra_info(self, info: str) -> object:
        return self.inner.get_extra_info(info)
