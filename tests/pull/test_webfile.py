"""A catalog at an address: how many bytes and how much time it may take, and where a redirect may lead."""

from __future__ import annotations

import contextlib
import io
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selfsigned import make_certificate

from zoo.errors import InputError, RemoteError
from zoo.progress import Silent
from zoo.pull import webfile

Answer = Callable[[BaseHTTPRequestHandler], None]
RAW = b"x" * 5000


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Answer, certificate: Path | None = None) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                answer(self)

            def log_message(self, *words: Any) -> None:
                del words

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.address = self.address.replace("http:", "https:")
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def start(answer: Answer, certificate: Path | None = None) -> Server:
        made.append(Server(answer, certificate))
        return made[-1]

    yield start
    for one in made:
        one.shutdown()
        one.server_close()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key and a certificate for this machine, which this process trusts."""
    both, trusted = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return both


def plain(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(RAW)))
    handler.end_headers()
    handler.wfile.write(RAW)


def to(address: str, status: int = 302) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", address)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def fetched(address: str, most: int = 1 << 20) -> bytes:
    into = io.BytesIO()
    webfile.fetch(address, into, most, Silent())
    return into.getvalue()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_https_is_not_left_by_a_redirect(
    status: int, serving: Callable[..., Server], certificate: Path
) -> None:
    unsafe = serving(plain)
    safe = serving(plain, certificate)
    assert fetched(safe.address) == RAW
    assert fetched(serving(to(safe.address + "/x", status), certificate).address) == RAW
    assert fetched(serving(to(safe.address, status)).address) == RAW  # from http to https
    with pytest.raises(RemoteError, match=r"redirects to http://127\.0\.0\.1, which others"):
        fetched(serving(to(unsafe.address, status), certificate).address)
    assert not unsafe.asked


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:x/", "data:,x"])
def test_a_redirect_leads_to_the_web_only(where: str, serving: Callable[..., Server]) -> None:
    with pytest.raises(RemoteError) as caught:
        fetched(serving(to(where)).address)
    assert caught.value.kind == "refused"


def test_a_circle_of_redirects(serving: Callable[..., Server]) -> None:
    with pytest.raises(RemoteError, match="redirects in a circle"):
        fetched(serving(to("/again")).address)


@pytest.mark.parametrize("announced", [True, False])
def test_more_than_is_allowed(announced: bool, serving: Callable[..., Server]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not announced:
                handler.wfile.write(RAW)

    with pytest.raises(InputError, match="is larger than 1 MiB"):
        fetched(serving(answer).address)


@pytest.mark.parametrize("where", ["head", "body", "nothing"])
def test_an_answer_that_drips(
    where: str, serving: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webfile, "GRACE_SECONDS", 0.4)
    over = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"\r\n" if where == "body" else b"X-Long: "))
        while not over.wait(0.02):
            handler.wfile.write(b"" if where == "nothing" else b" ")

    began = time.monotonic()
    with pytest.raises(RemoteError, match="bytes arrived in"):
        fetched(serving(answer).address)
    over.set()
    assert time.monotonic() - began < 30


def test_a_slow_one_that_brings_bytes_is_waited_for(
    serving: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the grace, with enough bytes in each piece for any pause of a busy machine."""
    monkeypatch.setattr(webfile, "GRACE_SECONDS", 1.0)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(15):
            handler.wfile.write(RAW)
            time.sleep(0.1)

    assert fetched(serving(answer).address) == 15 * RAW


def test_a_short_answer_and_a_refusal(serving: Callable[..., Server]) -> None:
    def short(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "9000")
        handler.end_headers()
        handler.wfile.write(RAW)

    with pytest.raises(RemoteError, match=r"ended after 5,000 of 9000 bytes|IncompleteRead"):
        fetched(serving(short).address)
    with pytest.raises(RemoteError, match="returned HTTP 404"):
        fetched(serving(lambda handler: handler.send_error(404)).address)
