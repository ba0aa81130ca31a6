"""A server with the OpenAI API whose model repeats the question: for what no real one does on request.

It counts requests, how many were open at the same time, and what it was sent. Faults are put before it with
``faultserver``.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "parrot-1b"
Answering = Callable[[dict[str, Any]], str]


def repeat(body: dict[str, Any]) -> str:
    """The answer: JSON that follows the schema of the tests if one is asked for, else the question."""
    return '{"x": 1}' if "response_format" in body else f"You said: {body['messages'][-1]['content']}"


class AnswerServer(ThreadingHTTPServer):
    """answer: text for a request; seconds: how long it takes. change: edits a response before it is sent."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answer: Answering = repeat, *, seconds: float = 0.0, owner: str = "llamacpp") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.seconds, self.owner = answer, seconds, owner
        self.change: Callable[[dict[str, Any]], object] = lambda response: response
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.questions: Counter[str] = Counter()
        self.is_kept = True
        self.open = self.most_open = 0
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """The address of the API."""
        return f"{self.host}/v1"

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> AnswerServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that a client gives up are expected here."""

    def models(self) -> dict[str, Any]:
        meta = {"n_params": 1_000_000, "size": 2_000_000, "n_ctx": 4096}
        return {"object": "list", "data": [{"id": MODEL, "owned_by": self.owner, "meta": meta, "aliases": ["parrot"]}]}

    def response(self, body: dict[str, Any]) -> object:
        text = self.answer(body)
        made = {
            "id": "a", "object": "chat.completion", "model": MODEL, "system_fingerprint": "b1-test",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }  # fmt: skip
        return self.change(made)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AnswerServer
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._say(self.server.models() if self.path == "/v1/models" else {}, 200 if self.path == "/v1/models" else 404)

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.open += 1
            server.most_open = max(server.most_open, server.open)
            server.questions[body["messages"][-1]["content"]] += 1
            if server.is_kept:
                server.bodies.append(body)
                server.headers.append(dict(self.headers.items()))
        time.sleep(server.seconds)
        response = server.response(body)
        with server.lock:
            server.open -= 1
        self._say(response, 200)

    def _say(self, data: object, status: int) -> None:
        raw = json.dumps(data).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """What was asked is in ``bodies``."""
