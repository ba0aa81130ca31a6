"""A server over HTTP that gives log-probabilities of a prompt, as vLLM or SGLang write them, of a tiny model in torch.

The JSON of vLLM is that of a real server (vLLM 0.32.0); of SGLang, that of its documentation and source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jsonserver import JsonServer

from zoo.training.models import load_model, load_tokenizer

MODEL = "tiny-teacher"
Splitting = Callable[[str], Any]


def in_bytes(text: str) -> dict[str, list[int]]:
    """A tokenizer for models without one."""
    return {"input_ids": [1, *(3 + byte for byte in text.encode())]}


class LogitServer(JsonServer):
    """most: log-probabilities of a place that a request may ask for. late: its places are of the token after."""

    def __init__(self, folder: Path, owner: str = "vllm", *, most: int = 64, late: int = 0) -> None:
        super().__init__()
        self.model = load_model(folder, torch.float32, "cpu")
        self.split: Splitting = load_tokenizer(folder) if (folder / "tokenizer.json").exists() else in_bytes
        self.owner, self.most, self.late, self.room = owner, most, late, 512

    def models(self) -> dict[str, Any]:
        entry = {"id": MODEL, "owned_by": self.owner, "root": "/models/tiny", "max_model_len": self.room}
        return {"object": "list", "data": [entry]}

    def logps(self, ids: Sequence[int]) -> torch.Tensor:
        """Of every token of the prompt but the first, over the vocabulary."""
        with self.lock, torch.no_grad():
            logits = self.model(torch.tensor([[*ids, *ids[:1]]])).logits[0].float()
        return logits.log_softmax(-1)[self.late : len(ids) - 1 + self.late]

    def ids_of(self, prompt: Any) -> list[int]:
        return list(self.split(prompt)["input_ids"] if isinstance(prompt, str) else prompt)

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v1/chat/completions":
            return 200, self._chat(body)
        if path == "/v1/completions" and self.owner == "vllm":
            return self._vllm(body)
        if path == "/generate" and self.owner == "sglang":
            return 200, self._sglang(body)
        return 404, {"error": {"message": "not found"}}

    def _chat(self, body: dict[str, Any]) -> Any:
        text = '{"ok": true}' if "response_format" in body else f"You said: {body['messages'][-1]['content']}"
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return {"model": MODEL, "choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}

    def _vllm(self, body: dict[str, Any]) -> tuple[int, Any]:
        asked = body.get("prompt_logprobs")
        if asked is not None and asked > self.most:
            words = f"Requested prompt logprobs of {asked}, which is greater than max allowed: {self.most}"
            return 400, {"error": {"message": words, "type": "BadRequestError", "code": 400}}
        ids, places = self.ids_of(body["prompt"]), [None]
        for token, logps in zip(ids[1:], self.logps(ids), strict=True):
            best = logps.topk(asked or 0)
            order = dict.fromkeys([token, *best.indices.tolist()])
            ranks = {one: 1 + int((logps > logps[one]).sum()) for one in order}
            places.append({str(one): {"logprob": float(logps[one]), "rank": ranks[one]} for one in order})
        choice = {"index": 0, "text": "", "finish_reason": "length", "prompt_logprobs": places}
        return 200, {"id": "cmpl", "model": MODEL, "choices": [choice], "system_fingerprint": "vllm-0.32.0-test"}

    def _sglang(self, body: dict[str, Any]) -> Any:
        ids = self.ids_of(body.get("input_ids") or body["text"])
        start, most = body["logprob_start_len"], min(body["top_logprobs_num"], self.most)
        logps = self.logps(ids)[start:]
        own, tops = [[None, ids[start], None]], [None]
        for token, place in zip(ids[start + 1 :], logps, strict=True):
            best = place.topk(most)
            own.append([float(place[token]), token, None])
            pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
            tops.append([[value, one, None] for value, one in pairs])
        meta = {"prompt_tokens": len(ids), "completion_tokens": 1, "input_token_logprobs": own}
        meta |= {"input_top_logprobs": tops} if most else {}
        return {"text": "", "meta_info": meta}
