"""The proxy that breaks requests breaks them as described, and does not affect the others."""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import waiting
from faultserver import Fault, FaultServer, proxy_page, too_many

RAW = bytes(range(256)) * 40


class _Echo(http.server.BaseHTTPRequestHandler):
    """Tells RAW to GET, and how much it got to PUT."""

    protocol_version = "HTTP/1.1"
    received = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("ETag", '"right"')
        self.send_header("Content-Length", str(len(RAW)))
        self.end_headers()
        self.wfile.write(RAW)

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        _Echo.received += len(data)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def faulty() -> Iterator[FaultServer]:
    _Echo.received = 0
    inner = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=inner.serve_forever, args=(0.02,), daemon=True).start()
    with FaultServer(f"http://127.0.0.1:{inner.server_address[1]}") as proxy:
        yield proxy
    inner.shutdown()
    inner.server_close()


def ask(
    proxy: FaultServer, method: str = "GET", body: bytes = b"", timeout: float = waiting.FAR_SECONDS
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(proxy.server_address[1]), timeout=timeout)
    try:
        connection.request(method, "/x", body or None)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_without_faults_everything_passes(faulty: FaultServer) -> None:
    assert ask(faulty)[2] == RAW and ask(faulty, "PUT", b"abc")[0] == 200
    assert [(e.method, e.status, e.received, e.sent) for e in faulty.exchanges] == [
        ("GET", 200, 0, len(RAW)), ("PUT", 200, 3, 0)
    ]  # fmt: skip


def test_only_the_named_request_is_broken(faulty: FaultServer) -> None:
    faulty.break_(Fault("answer", status=503), number=2)
    assert [ask(faulty)[0] for _ in range(3)] == [200, 503, 200]
    faulty.heal()
    faulty.break_(Fault("answer", status=503), method="PUT", times=2)
    assert ask(faulty)[0] == 200 and ask(faulty, "PUT", b"x")[0] == 503
    faulty.break_(Fault("answer", status=500), path="/other")
    assert ask(faulty)[0] == 200


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("refuse"), ConnectionResetError), (Fault("lost"), ConnectionResetError),
        (Fault("reset", 100), ConnectionResetError), (Fault("close", 100), http.client.IncompleteRead),
        (Fault("stall", 100), TimeoutError), (Fault("stall_up", 10), TimeoutError),
    ],
)  # fmt: skip
def test_broken_connections(fault: Fault, error: type[Exception], faulty: FaultServer) -> None:
    faulty.break_(fault)
    with pytest.raises(error):
        ask(faulty, timeout=0.5 if error is TimeoutError else waiting.FAR_SECONDS)
    assert faulty.exchanges[0].sent in (0, 100)


def test_uploads_that_break(faulty: FaultServer) -> None:
    for kind, reached in (("refuse", 0), ("cut_up", 0), ("lost", 1000)):
        faulty.heal()
        faulty.break_(Fault(kind, 100), method="PUT")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            ask(faulty, "PUT", b"x" * 1000)
        waiting.until(lambda reached=reached: _Echo.received >= reached)
        assert _Echo.received == reached
    assert faulty.bytes_received() == 1000


def test_answers_that_lie(faulty: FaultServer) -> None:
    for fault in (
        Fault("truncate", 100),
        Fault("corrupt", 300),
        Fault("headers", headers={"ETag": '"wrong"'}),
    ):
        faulty.break_(fault, number=1)
        _, headers, body = ask(faulty)
        if fault.kind == "truncate":
            assert body == RAW[:100] and headers["Content-Length"] == "100"
        elif fault.kind == "corrupt":
            assert len(body) == len(RAW) and [n for n in range(len(RAW)) if body[n] != RAW[n]] == [300]
        else:
            assert headers["ETag"] == '"wrong"' and body == RAW
        faulty.heal()
    faulty.break_(proxy_page())
    faulty.break_(too_many(7), number=2)
    assert ask(faulty)[2].startswith(b"<html>")
    assert ask(faulty)[:2] == (429, {"Retry-After": "7", "Content-Length": "2"})


def test_slow_answers_and_calls(faulty: FaultServer) -> None:
    called = list[str]()
    faulty.break_(Fault("trickle", piece_bytes=5000, pause_seconds=0.05))
    faulty.break_(Fault("call", call=lambda: called.append("before")), number=2)
    faulty.break_(Fault("call_after", call=lambda: called.append("after")), number=3)
    began = time.monotonic()
    assert ask(faulty)[2] == RAW and time.monotonic() - began > 0.1
    assert ask(faulty)[2] == RAW and ask(faulty)[2] == RAW
    assert called == ["before", "after"]
