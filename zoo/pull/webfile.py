"""A file at an http address, such as another zoo's catalog: bounded in bytes and time, and never by a less safe way
than the address that was named."""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO

from catalog.words import counted
from zoo.addresses import origin, shown
from zoo.errors import InputError, RemoteError
from zoo.progress import Reporter

STEP_SECONDS = 30.0
"""Of one step of the connection."""
GRACE_SECONDS = 60.0
LEAST_BYTES_PER_SECOND = 1024.0
"""An answer may take this long, and longer by its length at this rate."""
_BLOCK = 1 << 16


class _Safely(urllib.request.HTTPRedirectHandler):
    """Follows a redirect of an https address to https only: who can change the answer on the way could change every
    digest in it."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        allowed = ("https",) if req.full_url.startswith("https://") else ("https", "http")
        try:
            to = origin(newurl)
        except ValueError:
            to = ("", "", 0)
        if to[0] not in allowed:
            raise Unsafe(f"{to[0]}://{to[1]}" if to[0] else "an invalid address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Unsafe(Exception):
    """A redirect that is not followed; the text names where it leads."""


def opener() -> urllib.request.OpenerDirector:
    """Opens addresses without leaving https, and sends no token."""
    return urllib.request.build_opener(_Safely)


def fetch(address: str, into: IO[bytes], most_bytes: int, report: Reporter) -> None:
    """Write what is at ``address`` into a file. Raises InputError if it is too large, RemoteError."""
    work = _Work(address, most_bytes)
    # A connection has no limit for all of its steps together; this thread waits, and need not wait for ever.
    threading.Thread(target=work.run, daemon=True).start()
    began, written = time.monotonic(), 0
    with report.task(f"reading {shown(address)}", None, "B") as advance:
        while True:
            over = work.over.wait(0.05)
            arrived = work.take()
            for block in arrived:
                into.write(block)
                written += len(block)
                advance(len(block))
            if over and not arrived:
                break
            seconds = time.monotonic() - began
            if not over and seconds > GRACE_SECONDS + written / LEAST_BYTES_PER_SECOND:
                work.given_up.set()
                came = f"only {counted(written, 'byte')} arrived in {counted(round(seconds), 'second')}"
                raise _unreachable(shown(address), came)
    if work.failure:
        raise told(address, work.failure, most_bytes) from work.failure


@dataclass
class _Work:
    """One request, in a thread of its own."""

    address: str
    most_bytes: int
    over: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _blocks: list[bytes] = field(default_factory=list)

    def take(self) -> list[bytes]:
        """What arrived since the last call."""
        with self._lock:
            taken, self._blocks = self._blocks, []
        return taken

    def run(self) -> None:
        try:
            for block in self._read():
                with self._lock:
                    self._blocks.append(block)
                if self.given_up.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - the thread that waits reports it
            self.failure = error
        finally:
            self.over.set()

    def _read(self) -> Iterator[bytes]:
        with contextlib.closing(opener().open(self.address, timeout=STEP_SECONDS)) as answer:
            announced, length = answer.headers.get("content-length", ""), 0
            if announced.isascii() and announced.isdigit() and int(announced[:20]) > self.most_bytes:
                raise _TooLarge
            while block := answer.read1(_BLOCK):
                length += len(block)
                if length > self.most_bytes:
                    raise _TooLarge
                yield block
            if announced.isascii() and announced.isdigit() and length < int(announced[:20]):
                raise OSError(f"the connection ended after {length:,} of {announced} bytes")


class _TooLarge(Exception):
    pass


def told(address: str, error: Exception, most_bytes: int = 0) -> InputError | RemoteError:
    """What failed at an address, for people. Raises ``error`` if it is none of a connection."""
    address = shown(address)
    facts = {"address": address}
    if isinstance(error, _TooLarge):
        return InputError(f"{address} is larger than {most_bytes >> 20} MiB", remedy="Check the address")
    if isinstance(error, Unsafe):
        return RemoteError(
            f"{address} redirects to {error}, which others on the network could change", kind="refused", facts=facts,
            safe="Nothing was read from there.", remedy="Name an https address that does not leave https",
        )  # fmt: skip
    if isinstance(error, urllib.error.HTTPError) and 300 <= error.code < 400:
        return RemoteError(f"{address} redirects in a circle", kind="refused", facts=facts,
                           remedy="Check the address: a sign-in page or a proxy may answer instead")  # fmt: skip
    if isinstance(error, urllib.error.HTTPError):
        kind = "not_found" if error.code == 404 else "refused"
        return RemoteError(f"{address} returned HTTP {error.code}", kind=kind,
                           facts={**facts, "status": error.code}, remedy="Check the address")  # fmt: skip
    if isinstance(error, OSError | ValueError | HTTPException):
        return _unreachable(address, str(getattr(error, "reason", error)) or type(error).__name__)
    raise error


def _unreachable(address: str, why: str) -> RemoteError:
    return RemoteError(f"{address} cannot be read: {why[:200]}", kind="unreachable", facts={"address": address},
                       transient=True, remedy="Check the address and the network")  # fmt: skip
