"""A small server that answers as GitHub's API does, and loses a request, or kills who asks, when it is told to."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TOKEN = "job-token"


class Api:
    """fault: the number of the request that is lost, after it took effect if ``after`` is set, else before. strike: is
    called then, to kill who asked. ``act`` makes every answer."""

    def __init__(self) -> None:
        self.count, self.fault, self.after = 0, 0, False
        self.strike: Callable[[], object] = lambda: None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                outer.count += 1
                lost = outer.count == outer.fault
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if lost and not outer.after:
                    outer.strike()
                    self.close_connection = True
                    return
                outer.seen(self.path, self.headers.get("Authorization"))
                code, data = outer.act(self.command, self.path, raw)
                if lost:
                    outer.strike()
                    self.close_connection = True
                    return
                body = data if isinstance(data, bytes) else json.dumps(data).encode() if data is not None else b""
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", body.decode())
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def seen(self, path: str, authorization: str | None) -> None:
        """Every request has the token."""
        assert authorization == f"Bearer {TOKEN}", path

    def act(self, method: str, path: str, raw: bytes) -> tuple[int, Any]:
        """The status, and what is answered: JSON, bytes, or the address of a redirect as bytes."""
        raise NotImplementedError


@contextmanager
def serving(api: Api) -> Iterator[None]:
    """Serve it on this machine."""
    threading.Thread(target=api.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield
    finally:
        api.server.shutdown()
        api.server.server_close()
