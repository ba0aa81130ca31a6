"""The frame of a server with the OpenAI API: JSON over HTTP on a free port, and what it was sent.

Faults are put before it with ``faultserver``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class JsonServer(ThreadingHTTPServer):
    """A subclass says which models there are and answers requests. change: edits an answer before it is sent."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.change: Callable[[Any], Any] = lambda answer: answer
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def address(self) -> str:
        """The address of the API."""
        return f"{self.host}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that a client gives up are expected here."""

    def models(self) -> dict[str, Any]:
        """What ``/v1/models`` answers."""
        raise NotImplementedError

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The status and the JSON for a request."""
        raise NotImplementedError

    def keep(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        """Note a request."""
        self.bodies.append(body)
        self.headers.append(headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: JsonServer
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._say(200, self.server.models()) if self.path == "/v1/models" else self._say(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keep(body, dict(self.headers.items()))
        status, answer = self.server.respond(self.path, body)
        self._say(status, self.server.change(answer) if status == 200 else answer)

    def _say(self, status: int, data: object) -> None:
        raw = json.dumps(data).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """What was asked is in ``bodies``."""
