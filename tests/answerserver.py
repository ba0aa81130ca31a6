"""A server with the OpenAI API whose model repeats the question: for what no real one does on request.

It counts requests, how many were open at the same time, and what it was sent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from jsonserver import JsonServer

MODEL = "parrot-1b"
Answering = Callable[[dict[str, Any]], str]


def repeat(body: dict[str, Any]) -> str:
    """The answer: JSON that follows the schema of the tests if one is asked for, else the question."""
    return '{"x": 1}' if "response_format" in body else f"You said: {body['messages'][-1]['content']}"


class AnswerServer(JsonServer):
    """answer: text for a request; seconds: how long it takes."""

    def __init__(self, answer: Answering = repeat, *, seconds: float = 0.0, owner: str = "llamacpp") -> None:
        super().__init__()
        self.answer, self.seconds, self.owner = answer, seconds, owner
        self.questions: Counter[str] = Counter()
        self.is_kept = True
        self.open = self.most_open = 0

    def models(self) -> dict[str, Any]:
        meta = {"n_params": 1_000_000, "size": 2_000_000, "n_ctx": 4096}
        return {"object": "list", "data": [{"id": MODEL, "owned_by": self.owner, "meta": meta, "aliases": ["parrot"]}]}

    def keep(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            self.questions[body["messages"][-1]["content"]] += 1
        if self.is_kept:
            super().keep(body, headers)

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        del path
        time.sleep(self.seconds)
        text = self.answer(body)
        with self.lock:
            self.open -= 1
        return 200, {
            "id": "a", "object": "chat.completion", "model": MODEL, "system_fingerprint": "b1-test",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }  # fmt: skip
