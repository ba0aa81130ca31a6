"""A hub with https cannot send the official client to an address without it."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selfsigned import make_certificate

from zoo.errors import RemoteError
from zoo.hub.huggingface.session import bounded, tune

constants = pytest.importorskip("huggingface_hub.constants")


@contextmanager
def serving(to: str, certificate: Path | None) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that redirects to ``to``, or answers if that is empty; its address and what was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307 if to else 200)
            self.send_header("Location", to)
            self.send_header("Content-Length", "2")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"{}")

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *given: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    both, public = make_certificate(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return both


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_plain_http_is_refused(method: str, certificate: Path) -> None:
    from huggingface_hub import close_session, get_session

    tune()
    close_session()
    with serving("", None) as (plain, heard), serving(f"{plain}/x", certificate) as (secure, asked):
        with bounded(), pytest.raises(RemoteError, match="redirects to http:") as refused:
            get_session().request(method, f"{secure}/api", follow_redirects=True)
        assert asked == ["/api"] and heard == [] and secure in refused.value.what
        # Plain from the beginning, and secure all the way.
        with serving(f"{plain}/y", None) as (other, _), serving(f"{secure}/z", certificate) as (first, _), bounded():
            assert get_session().request(method, f"{other}/api", follow_redirects=True).status_code == 200
            assert get_session().request(method, first, follow_redirects=False).status_code == 307
        assert heard == ["/y"]
    close_session()
