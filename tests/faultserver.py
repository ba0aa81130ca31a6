"""A proxy before a real server that counts requests and breaks chosen ones, down to single bytes.

    with FaultServer(server.address) as faulty:
        faulty.break_(Fault("reset", after_bytes=1000), path="/resolve/", number=2)
        ... use faulty.address ...
        assert [e.path for e in faulty.exchanges if e.method == "PUT"]

Kinds of faults:

    answer    ``status``, ``headers`` and ``body`` instead of the server's answer; the server is not asked
    lost      the server handles the request, and the connection is reset before its answer
    refuse    the connection is reset before the server receives the request
    cut_up    ``after_bytes`` of the request's body reach the server, then ``call()`` if given; both sides are reset
    reset     ``after_bytes`` of the answer's body, then a reset
    close     ``after_bytes`` of the answer's body, then an orderly end before the announced length
    truncate  ``after_bytes`` of the answer's body, announced as if that were all
    stall     ``after_bytes`` of the answer's body, then nothing until the test ends
    stall_up  ``after_bytes`` of the request's body are read, then nothing more until the test ends
    endless   other bytes instead of the answer's body, which do not end and have no announced length
    trickle   the answer's body in pieces of ``piece_bytes`` with ``pause_seconds`` between them; ``call()`` before each
    corrupt   one bit of the answer's body is flipped at ``after_bytes``; lengths and headers are correct
    headers   the answer with ``headers`` instead of its own (a wrong ETag, a wrong clock)
    call      ``call()`` is called, then the request continues (to kill a process at a request)
    call_after  the server handles the request, ``call()`` is called, then the answer continues
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PIECE = 1 << 16
HTML = b"<html><head><title>Sign in</title></head><body>This network wants you to sign in.</body></html>"


@dataclass(frozen=True)
class Fault:
    """One way to break a request; see the list above."""

    kind: str
    after_bytes: int = 0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    piece_bytes: int = 1
    pause_seconds: float = 0.01
    call: Callable[[], Any] | None = None


def proxy_page(status: int = 200) -> Fault:
    """A page of HTML, as from a proxy that wants people to sign in."""
    return Fault("answer", status=status, headers={"Content-Type": "text/html"}, body=HTML)


def too_many(seconds: int) -> Fault:
    """429 with Retry-After."""
    return Fault("answer", status=429, headers={"Retry-After": str(seconds)}, body=b"{}")


@dataclass
class Exchange:
    """One finished request: ``number`` counts from 1; ``sent`` and ``received`` are bytes of bodies that passed."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    received: int = 0
    sent: int = 0
    fault: str = ""


@dataclass
class _Rule:
    fault: Fault
    path: str
    method: str
    number: int
    times: int
    seen: int = 0


class FaultServer(ThreadingHTTPServer):
    """Stands before ``upstream`` (``http://HOST:PORT``)."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        parts = urlsplit(upstream)
        self.upstream = (str(parts.hostname), int(parts.port or 80))
        self.exchanges: list[Exchange] = []
        self.over = threading.Event()
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def break_(
        self, fault: Fault, *, path: str = "", method: str = "", number: int = 1, times: int = 1
    ) -> None:
        """Break the ``number``-th request from now on whose path contains ``path``, and ``times - 1`` after it."""
        with self._lock:
            self._rules.append(_Rule(fault, path, method, number, times))

    def heal(self) -> None:
        """Remove all faults and clear the list of exchanges."""
        with self._lock:
            self._rules.clear()
            self.exchanges.clear()

    def bytes_received(self) -> int:
        """Bytes of received request bodies."""
        return sum(exchange.received for exchange in self.exchanges)

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def shutdown_request(self, request: Any) -> None:
        # Without a FIN first, which would turn a reset into an orderly end.
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are expected here."""

    def begin(self, method: str, path: str, headers: dict[str, str]) -> tuple[Exchange, Fault | None]:
        """Count a request; returns its fault."""
        with self._lock:
            exchange = Exchange(len(self.exchanges) + 1, method, path, headers)
            self.exchanges.append(exchange)
            found = None
            for rule in self._rules:
                if rule.path in path and rule.method in ("", method):
                    rule.seen += 1
                    if rule.number <= rule.seen < rule.number + rule.times and found is None:
                        found = rule.fault
            exchange.fault = found.kind if found else ""
            return exchange, found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.exchange, fault = self.server.begin(self.command, self.path, dict(self.headers.items()))
        fault = fault or Fault("none")
        if fault.kind == "call" and fault.call:
            fault.call()
        if fault.kind == "refuse":
            self._reset()
        elif fault.kind == "stall_up":
            self._read_body(fault.after_bytes, lambda _: None)
            self._wait()
        elif fault.kind == "answer":
            self._read_body(None, lambda _: None)
            self._say(fault.status, {**fault.headers, "Content-Length": str(len(fault.body))})
            if self.command != "HEAD":
                self._write(fault.body)
        else:
            self._forward(fault)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _forward(self, fault: Fault) -> None:
        upstream = http.client.HTTPConnection(*self.server.upstream, timeout=600)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    upstream.putheader(name, value)
            upstream.putheader("Connection", "close")
            upstream.endheaders()
            if fault.kind == "cut_up":
                self._read_body(fault.after_bytes, upstream.send)
                if fault.call:
                    fault.call()
                if upstream.sock:
                    _harden(upstream.sock)
                return self._reset()
            with contextlib.suppress(ConnectionError):  # it may refuse before it has read everything
                self._read_body(None, upstream.send)
            answer = upstream.getresponse()
            self.exchange.status = answer.status
            if fault.kind == "lost":
                answer.read()
                return self._reset()
            if fault.kind == "call_after" and fault.call:
                fault.call()
            self._answer(answer, fault)
        except (OSError, http.client.HTTPException):
            self._reset()
        finally:
            upstream.close()

    def _answer(self, answer: http.client.HTTPResponse, fault: Fault) -> None:
        given = {name.lower() for name in fault.headers} if fault.kind == "headers" else set()
        headers = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() not in {"connection", *given}
        }
        headers |= fault.headers if fault.kind == "headers" else {}
        cut = fault.after_bytes if fault.kind in ("reset", "close", "truncate", "stall") else None
        if fault.kind == "truncate" and "Content-Length" in headers:
            headers["Content-Length"] = str(min(int(headers["Content-Length"]), fault.after_bytes))
        if fault.kind == "endless" and self.command != "HEAD":
            headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        self._say(answer.status, headers)
        if self.command == "HEAD" or answer.status == 304:
            return
        if fault.kind == "endless":
            self.close_connection = True
            while not self.server.over.is_set():
                self._write(bytes(PIECE))
        at, piece = 0, fault.piece_bytes if fault.kind == "trickle" else PIECE
        while data := answer.read(piece if cut is None else min(piece, cut - at)):
            if fault.kind == "corrupt" and at <= fault.after_bytes < at + len(data):
                raw = bytearray(data)
                raw[fault.after_bytes - at] ^= 1
                data = bytes(raw)
            if fault.kind == "trickle" and fault.call:
                fault.call()
            self._write(data)
            at += len(data)
            if fault.kind == "trickle" and self.server.over.wait(fault.pause_seconds):
                break
        if fault.kind == "reset":
            self._reset()
        elif fault.kind == "stall":
            self._wait()
        elif fault.kind == "close":
            self.close_connection = True

    def _read_body(self, limit: int | None, take: Callable[[bytes], object]) -> None:
        left = int(self.headers.get("Content-Length") or 0)
        left = left if limit is None else min(left, limit)
        assert isinstance(self.rfile, io.BufferedReader)
        while left and (data := self.rfile.read1(min(left, PIECE))):
            self.exchange.received += len(data)
            left -= len(data)
            take(data)

    def _say(self, status: int, headers: Mapping[str, str]) -> None:
        self.exchange.status = status
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.exchange.sent += len(data)

    def _reset(self) -> None:
        """End the connection like a broken line: with RST, not FIN."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            time.sleep(0.01)  # sent data must arrive before the reset
            _harden(self.connection)

    def _wait(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.flush()
        self.server.over.wait()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """The list of exchanges has everything."""


def _harden(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
