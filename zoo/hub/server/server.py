"""Sockets: a thread per connection, with limits on their number, on sizes and on time."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from zoo.errors import Damaged, InputError, ZooError
from zoo.hub.folder import FolderHub
from zoo.hub.interface import CONTENT_LOST, DamagedCommit, NoCommit
from zoo.hub.server.access import Access
from zoo.hub.server.routes import Routes
from zoo.hub.server.store import Store
from zoo.hub.server.wire import Answer, ApiError, PacedReader, Request, refusal, split_target

CONNECTIONS = 512
STALL_SECONDS = 60.0
LEAST_BYTES_PER_SECOND = 16 << 10
_LINGER_SECONDS = 5.0
_HEADERS = 64
_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?\Z")
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


_Incoming = socket.socket | tuple[bytes, socket.socket]
"""What socketserver passes; for a stream it is the connection."""


@dataclass(frozen=True)
class Bounds:
    """Connections at the same time, and seconds for a step of one."""

    connections: int = CONNECTIONS
    stall_seconds: float = STALL_SECONDS


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _refused(error: ZooError) -> ApiError:
    """What is lost or damaged on the hub's disk gets no 5xx, which clients would repeat: only repairing it helps."""
    if isinstance(error, NoCommit | DamagedCommit):
        return ApiError(404, error.what, "RevisionNotFound")
    if isinstance(error, Damaged):
        return ApiError(410, error.what, CONTENT_LOST)
    return ApiError(400 if isinstance(error, InputError) else 500, error.what)


class HubServer(ThreadingHTTPServer):
    """A folder hub at an address. ``log`` receives a line per request, without queries and headers."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        access: Access,
        log: Callable[[str], None] | None = None,
        bounds: Bounds = Bounds(),
    ) -> None:
        if access.anonymous_write and not is_loopback(host):
            raise InputError(
                f"without tokens only this machine may write, but {host} is open to other machines",
                remedy="Use a token file, or serve on 127.0.0.1",
            )
        self.host, self.log, self.stall_seconds = host, log, bounds.stall_seconds
        self.routes = Routes(Store(FolderHub(folder), closed=bool(access.roles)), access)
        # Separate from the routes, so that tests can wrap them: to count, or to fail on purpose.
        self.answer: Callable[[Request], Answer] = self.routes
        self._slots = threading.BoundedSemaphore(bounds.connections)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), port), _Handler)

    @property
    def address(self) -> str:
        """What to set HF_ENDPOINT to."""
        host = f"[{self.host.strip('[]')}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_address[1]}"

    def server_bind(self) -> None:
        # Not the method of HTTPServer, which asks the name service for the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, int(self.server_address[1])

    def process_request(self, request: _Incoming, client_address: object) -> None:
        if self._slots.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:
                # No thread was available.
                self._slots.release()
                raise
            return
        with contextlib.suppress(OSError):
            assert isinstance(request, socket.socket)
            request.setblocking(False)
            request.send(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: _Incoming, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A broken connection is not worth a message."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "zoo", ""
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.hub = cast("HubServer", self.server)
        super().setup()
        self.connection.settimeout(self.hub.stall_seconds)
        self.rfile.close()
        self.paced = PacedReader(self.connection, self.hub.stall_seconds)
        self.rfile = io.BufferedReader(self.paced, 1 << 16)

    def handle_one_request(self) -> None:
        # The time limit for the head of a request; its body has its own limit.
        self.paced.allow(self.hub.stall_seconds)
        super().handle_one_request()

    def do_GET(self) -> None:
        began = time.monotonic()
        request: Request | None = None
        try:
            request = self._request()
            answer = self.hub.answer(request)
        except ApiError as error:
            answer = refusal(error)
        except ZooError as error:
            answer = refusal(_refused(error))
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception as error:  # noqa: BLE001 - one bad request must not end in silence
            answer = refusal(ApiError(500, f"a bug in the server: {type(error).__name__}"))
        left = request.left if request else 1
        self._send(answer, close=left > 0)
        if left:
            self._linger()
        self._tell(answer, time.monotonic() - began)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def _request(self) -> Request:
        if self.request_version == "HTTP/0.9":
            self.request_version = "HTTP/1.1"
            raise ApiError(505, "requests must use HTTP/1.1")
        if len(self.headers) > _HEADERS:
            raise ApiError(431, f"more than {_HEADERS} headers")
        if "Transfer-Encoding" in self.headers:
            raise ApiError(411, "the request requires a Content-Length")
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,15}", lengths[0]):
            raise ApiError(400, "the request has no valid Content-Length")
        hosts = self.headers.get_all("Host") or [""]
        host = hosts[0]
        # Two of them would be understood in two ways (RFC 9112, section 3.2).
        if len(hosts) > 1 or not _HOST.match(host):
            raise ApiError(400, "the request has no valid Host")
        if is_loopback(self.hub.host) and not is_loopback(re.sub(r":\d+\Z", "", host)):
            raise ApiError(403, "this hub is for this machine only")
        method = "GET" if self.command == "HEAD" else self.command
        if method != "GET" and "Origin" in self.headers:
            raise ApiError(403, "web pages may not write here")
        segments, query = split_target(self.path)
        length = int(lengths[0])
        self.paced.allow(self.hub.stall_seconds + length / LEAST_BYTES_PER_SECOND)
        return Request(method, segments, query, self.headers, f"http://{host}", self.rfile, length)

    def _send(self, answer: Answer, *, close: bool) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Length", str(answer.length))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD" or answer.status == 304:
            return
        self.wfile.write(answer.body)
        if answer.length and answer.file:
            with answer.file.path.open("rb") as stream:
                sent = self.connection.sendfile(stream, answer.file.offset, answer.file.length)
            self.close_connection |= sent != answer.file.length

    def _linger(self) -> None:
        """Keep reading for a while, or the connection resets before the other side reads the refusal."""
        self.close_connection = True
        self.paced.allow(_LINGER_SECONDS)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read1(1 << 16):
                pass

    def _tell(self, answer: Answer, seconds: float) -> None:
        if self.hub.log:
            path = self.path.partition("?")[0]
            self.hub.log(f"{self.command} {path} {answer.status} {answer.length} B {seconds * 1000:.0f} ms")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Requests that are not HTTP."""
        del explain
        self.close_connection = True
        # Else an answer to an HTTP/0.9 request would have no head.
        self.request_version = "HTTP/1.1"
        if not hasattr(self, "command") or self.command is None:
            self.command = "GET"
        self._send(refusal(ApiError(code, message or "the request cannot be read")), close=True)

    def log_message(self, *_: object) -> None:
        """Does nothing; _tell reports requests."""
