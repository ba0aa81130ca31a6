"""The door to a teacher's server: one address, which gets the user's token only if the user named it.

No redirect is followed: it would carry prompts, and the token, to a place that nobody named. What comes back is bounded
in bytes and in time.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from catalog import jsontext
from catalog.jsontext import Json
from catalog.unseen import visible
from catalog.words import data_size
from zoo import __version__, addresses
from zoo.errors import AGAIN, Again, InputError, RemoteError
from zoo.hub.download import MALFORMED
from zoo.hub.huggingface.answers import retry_after, when_again
from zoo.progress import Reporter
from zoo.settings import Teacher
from zoo.teachers.replies import words_of_error

TOKEN = "ZOO_TEACHER_TOKEN"
"""The environment variable with the user's token."""

CHAT = "/chat/completions"
"""Where questions are answered with text."""

LOOK_SECONDS = 30.0
"""For the list of models."""
_LIST_BYTES = 4 << 20
_BLOCK = 1 << 16
_DIGITS = 20
"""Of a length in bytes that any machine could hold."""
_BUSY = (408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)
"""Statuses after which another try may help."""
_KEPT = "The answers so far are kept."


@dataclass(frozen=True)
class Door:
    """address: of the API, without a final slash. withheld: why the user's token is not sent, "" if it is or if there
    is none."""

    address: str
    token: str = field(default="", repr=False)
    withheld: str = ""

    @property
    def place(self) -> str:
        """The address for people."""
        return addresses.shown(self.address)

    @property
    def root(self) -> Door:
        """The door to what the same server offers outside the OpenAI API, whose address ends in /v1."""
        return replace(self, address=self.address.removesuffix("/v1"))


def opened(teacher: Teacher, environment: Mapping[str, str] = os.environ) -> Door:
    """The door to the server in the settings. Raises InputError if they name none, or a token cannot be sent at all."""
    if not teacher.address:
        raise InputError(
            "the teacher is a model on a server, but no setting says where that is",
            remedy="Set its address: export ZOO_TEACHER=http://localhost:8080/v1",
        )
    address = addresses.parse(teacher.address, "setting teacher")
    token = environment.get(TOKEN, "").strip()
    if token and (not token.isascii() or not token.isprintable() or " " in token):
        raise InputError(f"{TOKEN} is not a token: it has characters that no token has", remedy="Set it again")
    withheld = ""
    if token and not addresses.is_private_way(address):
        withheld = "it uses plain http, which others on the network can read. Use https, or a tunnel to this machine"
    elif token and not teacher.named:
        withheld = "only zoo.toml names this address. If you trust it: export ZOO_TEACHER with the same address"
    return Door(address, "" if withheld else token, withheld)


def announced(teacher: Teacher, report: Reporter) -> Door:
    """The same, with a warning if the user's token is not sent."""
    door = opened(teacher)
    if door.withheld:
        report.warn(f"your token is not sent to {door.place}, because {door.withheld}")
    return door


@dataclass
class Line:
    """One connection at a time to a server, for one thread. ``cut`` may be called by another."""

    door: Door
    _connection: http.client.HTTPConnection | None = None
    _ends: float = 0.0
    _is_cut: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> Json:
        """The list of models. Raises RemoteError."""
        raw = self._exchange("GET", "/models", b"", LOOK_SECONDS, _LIST_BYTES)
        try:
            return jsontext.parse(raw, bounded=False)
        except jsontext.NotJson as error:
            raise RemoteError(
                f"{self.door.place}/models did not answer with JSON", kind="not_found",
                facts={"address": self.door.place},
                remedy="Check the address: it usually ends in /v1. A network that wants you to sign in also does this",
            ) from error  # fmt: skip

    def ask(self, body: Mapping[str, object], seconds: float, most_bytes: int, path: str = CHAT) -> bytes:
        """The body of the response to a request for an answer, which must be complete after so many seconds. Raises
        RemoteError; its kind is ``invalid`` if the server refuses this request, but perhaps not the next."""
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return self._exchange("POST", path, raw, seconds, most_bytes)

    def cut(self, *, late: float | None = None) -> None:
        """End the exchange of another thread; with ``late``, a time of the clock, only what should be over then."""
        with self._lock:
            connection = self._connection
            if late is not None and not 0 < self._ends < late:
                return
            self._is_cut = True
            sock = connection.sock if connection else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection up."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, method: str, path: str, body: bytes, seconds: float, most_bytes: int) -> bytes:
        """Raises RemoteError for everything but a complete response with status 200."""
        ends = time.monotonic() + seconds
        for is_old in (self._connection is not None, False):
            try:
                response = self._sent(method, path, body, ends)
                break
            except _LOST as error:
                self.close()
                # A server may close a connection that was idle; nothing was asked twice then.
                if not is_old or self._is_cut or isinstance(error, TimeoutError):
                    raise self._unreachable(error, ends) from error
        try:
            raw = _read(response, most_bytes)
        except _Malformed as error:
            self.close()
            raise self._malformed(error) from error
        except _LOST as error:
            self.close()
            raise self._unreachable(error, ends) from error
        finally:
            self._ends = 0.0
        response.close()
        if response.will_close:
            self.close()
        if response.status != 200:
            raise self._refused(response, raw)
        return raw

    def _sent(self, method: str, path: str, body: bytes, ends: float) -> http.client.HTTPResponse:
        base = urlsplit(self.door.address)
        with self._lock:
            if self._connection is None:
                self._connection = _connection(base.scheme, base.hostname or "", base.port)
            connection, self._ends, self._is_cut = self._connection, ends, False
        left = max(ends - time.monotonic(), 0.001)
        connection.timeout = left
        if connection.sock is not None:
            connection.sock.settimeout(left)
        headers = {"Accept": "application/json", "User-Agent": f"zoo/{__version__}"}
        headers |= {"Content-Type": "application/json"} if body else {}
        headers |= {"Authorization": f"Bearer {self.door.token}"} if self.door.token else {}
        connection.request(method, f"{base.path}{path}", body or None, headers)
        return connection.getresponse()

    def _refused(self, response: http.client.HTTPResponse, raw: bytes) -> RemoteError:
        status, place = response.status, self.door.place
        facts = {"address": place, "status": status}
        if 300 <= status < 400:
            return RemoteError(
                f"{place} redirects to {_host(response.headers.get('location', ''))}, where nothing was sent",
                kind="refused", facts=facts, safe=_KEPT, remedy="Set ZOO_TEACHER to the address of the API itself",
            )  # fmt: skip
        says = f": {said}" if (said := self._said(raw)) else ""
        # What is kept of a refused row goes into a release, where the address must not be.
        facts |= {"refused": f"the server refused the request with HTTP {status}{says}"}
        if status in (401, 403):
            how = f"Your token is not sent, because {self.door.withheld}" if self.door.withheld else ""
            return RemoteError(
                f"{place} does not let you in (HTTP {status}){says}", kind="refused", facts=facts, safe=_KEPT,
                remedy=how or f"Set your token for this server: export {TOKEN}=...", again=AGAIN,
            )  # fmt: skip
        if status in _BUSY:
            now = time.time()
            wait = retry_after({name.lower(): value for name, value in response.headers.items()}, now)
            again = AGAIN if wait is None else Again(when_again(wait, now), AGAIN.note)
            kind = "rate_limited" if status == 429 else "server_error"
            return RemoteError(f"{place} answered HTTP {status}{says}", kind=kind, facts=facts, transient=True,
                               wait_seconds=wait, safe=_KEPT, again=again)  # fmt: skip
        kind = "invalid" if status in (400, 413, 422) else "not_found" if status == 404 else "refused"
        return RemoteError(f"{place} refused a request with HTTP {status}{says}", kind=kind, facts=facts, safe=_KEPT,
                           remedy="Check the address and what the server can do")  # fmt: skip

    def _said(self, raw: bytes) -> str:
        """What a server says about a request, without the token and the address."""
        said = words_of_error(raw)
        host = urlsplit(self.door.address).netloc
        for secret in (self.door.token, self.door.address, host, host.rpartition(":")[0]):
            said = said.replace(secret, "***") if secret else said
        return said

    def _unreachable(self, error: Exception, ends: float) -> RemoteError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return RemoteError(
                f"the certificate of {self.door.place} cannot be verified", kind="refused", safe="Nothing was sent.",
                facts={"address": self.door.place}, remedy="Check the address, and the certificate of the server",
            )  # fmt: skip
        if isinstance(error, http.client.HTTPException) and not isinstance(error, _ENDED):
            return self._malformed(_Malformed(f"sent what is not HTTP ({type(error).__name__}: {error})"))
        late = isinstance(error, TimeoutError) or time.monotonic() >= ends
        why = "no complete answer in time" if late else f"{error or type(error).__name__}"
        return RemoteError(
            f"{self.door.place} does not answer: {why[:200]}", kind="stalled" if late else "unreachable",
            facts={"address": self.door.place}, transient=True, safe=_KEPT, remedy="Check that the server is running",
            again=AGAIN,
        )  # fmt: skip

    def _malformed(self, error: _Malformed) -> RemoteError:
        return RemoteError(
            f"{self.door.place} {visible(str(error))[:200]}", kind=MALFORMED, facts={"address": self.door.place},
            transient=not error.is_final, safe=_KEPT, remedy="Check what is at this address", again=AGAIN,
        )  # fmt: skip


_LOST = (OSError, http.client.HTTPException)
_ENDED = (http.client.RemoteDisconnected, http.client.IncompleteRead, http.client.ImproperConnectionState)
"""Of the errors of HTTP, those of a connection that ended, which another try may help."""


class _Malformed(Exception):
    """The text says what the server did. is_final: no other try can help."""

    def __init__(self, what: str, *, is_final: bool = False) -> None:
        super().__init__(what)
        self.is_final = is_final


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port)


def _read(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """The body. Raises _Malformed, and what reading raises; also for one that ends before its announced length."""
    if (announced := _announced(response)) > most_bytes:
        what = f"announces {data_size(announced)} as one answer, which has at most {data_size(most_bytes)}"
        raise _Malformed(what, is_final=True)
    blocks, size = [], 0
    while block := response.read1(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > most_bytes:
            raise _Malformed(f"sent more than {data_size(most_bytes)} as one answer")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(blocks)


def _announced(response: http.client.HTTPResponse) -> int:
    """The length that a server announces, 0 if it announces none. Raises _Malformed.

    By RFC 9112, section 6.3, an invalid one cannot be recovered from: where the answer ends is not known, and
    ``http.client``, which takes a negative one for none, would wait for the end of the connection.
    """
    if response.headers.get("Transfer-Encoding"):
        return 0
    if (found := response.headers.get_all("Content-Length")) is None:
        return 0
    written = ",".join(found)
    length, *others = {one.strip() for one in written.split(",")}
    if others or not (length.isascii() and length.isdigit() and len(length) < _DIGITS):
        raise _Malformed(f"announces an invalid length of its answer (Content-Length: {written[:40]})", is_final=True)
    return int(length)


def _host(address: str) -> str:
    """Where an address of another program leads, for people."""
    try:
        scheme, host, port = addresses.origin(address)
    except ValueError:
        return "an invalid address"
    return visible(f"{scheme}://{host}:{port}")[:200] if host else "another path there"
