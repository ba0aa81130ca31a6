"""Servers that give the log-probabilities of a prompt's tokens: how each is asked, and what it answers. A new one is a
row of ``DIALECTS``. Pure.

vLLM has ``prompt_logprobs`` in its Completions API (docs.vllm.ai, "OpenAI-Compatible Server"), SGLang has
``return_logprob`` in its own ``/generate`` (docs.sglang.io, "Sampling Parameters"). llama-server has nothing of the
kind. The older form of OpenAI's API (``echo`` with ``logprobs``), which llama_cpp.server has, is left out: it takes a
prompt as text and names tokens by their text, and several tokens of a vocabulary may have the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from catalog.jsontext import Json, JsonObject
from zoo.teachers.replies import NotAReply

Body = Mapping[str, object]


@dataclass(frozen=True)
class Place:
    """A token of a prompt as the server saw it after all tokens before it. token: its id; logp: its log-probability.
    best: log-probabilities of the most probable tokens by id; the token itself may be one more of them."""

    token: int
    logp: float
    best: Mapping[int, float]


class NoProbabilities(ValueError):
    """The answer is valid, but has no log-probabilities of the prompt."""


@dataclass(frozen=True)
class Dialect:
    """How a kind of server is asked. owner: what it writes as ``owned_by`` in its list of models. path: where it is
    asked; is_root: of the server, not of its OpenAI API.

    ids: the request for the places after the first ``skipped`` ones of a prompt of token ids, with the ``top_k`` most
    probable tokens of each: (model, ids, skipped, top_k). text: the request that shows how it splits a text into
    tokens: (model, text).
    places: the places of an answer, without the prompt's first token and the first ``skipped`` after it. model: the
    name in an answer, None if it has none.
    start: how it is started so that it gives ``top_k`` tokens of a place; longer: the option for longer prompts.
    """

    name: str
    title: str
    owner: str
    path: str
    is_root: bool
    ids: Callable[[str, Sequence[int], int, int], Body]
    text: Callable[[str, str], Body]
    places: Callable[[JsonObject, int], list[Place]]
    model: Callable[[JsonObject], str | None]
    start: str
    longer: str


_ID = re.compile("0|[1-9][0-9]{0,9}")
_ID_BITS = 31
"""Of a token's id: no vocabulary is larger, and the ten digits of ``_ID`` are not much more."""
_PLAIN = {"temperature": 1, "top_p": 1, "stream": False}
"""Nothing may be done to the probabilities."""


def _vllm_body(model: str, prompt: object, top_k: int) -> Body:
    plain = {"top_k": -1, "min_p": 0, "repetition_penalty": 1, "n": 1, **_PLAIN}
    return {"model": model, "prompt": prompt, "max_tokens": 1, "prompt_logprobs": top_k, **plain}


def prompt_logprobs(answer: Json, skipped: int) -> list[Place]:
    """The places in vLLM's ``prompt_logprobs``: for every token of the prompt an object by token id, the prompt's own
    token first, then the most probable ones; None for the first, which follows nothing. Raises NotAReply."""
    if answer is None:
        raise NoProbabilities
    if not isinstance(answer, list) or not answer or answer[0] is not None:
        raise NotAReply("no list of log-probabilities whose first place is null")
    return [_vllm_place(entry) for entry in answer[1 + skipped :]]


def _vllm_place(entry: Json) -> Place:
    if not isinstance(entry, dict) or not entry:
        raise NotAReply("a place without log-probabilities")
    best = {}
    for name, one in entry.items():
        if not isinstance(one, dict) or not _ID.fullmatch(name):
            raise NotAReply("a place that does not name its tokens by their ids")
        best[int(name)] = _number(one.get("logprob"))
    token = next(iter(best))
    return Place(token, best[token], best)


def _vllm_places(answer: JsonObject, skipped: int) -> list[Place]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise NotAReply("JSON without exactly one answer in `choices`")
    return prompt_logprobs(choices[0].get("prompt_logprobs"), skipped)


def _sglang_body(skipped: int, top_k: int) -> Body:
    sampling = {"max_new_tokens": 1, "temperature": 1, "top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1}
    return {
        "sampling_params": sampling, "return_logprob": True, "logprob_start_len": skipped, "top_logprobs_num": top_k,
        "return_text_in_logprobs": False, "stream": False,
    }  # fmt: skip


def _sglang_places(answer: JsonObject, skipped: int) -> list[Place]:
    """Its lists begin at ``logprob_start_len``, with a place that is null."""
    del skipped
    meta = answer.get("meta_info")
    if not isinstance(meta, dict):
        raise NotAReply("JSON without `meta_info`")
    own, tops = meta.get("input_token_logprobs"), meta.get("input_top_logprobs")
    if own is None:
        raise NoProbabilities
    if not isinstance(own, list) or not own or _entry(own[0])[1] is not None:
        raise NotAReply("no list of log-probabilities whose first place is null")
    if tops is None:
        tops = [None] * len(own)
    if not isinstance(tops, list) or len(tops) != len(own):
        raise NotAReply("two lists of log-probabilities of unlike lengths")
    return [_sglang_place(one, top) for one, top in zip(own[1:], tops[1:], strict=True)]


def _sglang_place(own: Json, top: Json) -> Place:
    if not isinstance(top, list | None):
        raise NotAReply("a place without log-probabilities")
    token, logp = _entry(own)
    pairs = [_entry(one) for one in top or ()]
    best = {number: _number(value) for number, value in pairs}
    if len(best) != len(pairs):
        raise NotAReply("a place that names a token twice")
    return Place(token, _number(logp), best)


def _entry(found: Json) -> tuple[int, Json]:
    """Of a token: [log-probability, id, text]."""
    token = found[1] if isinstance(found, list) and len(found) > 1 else None
    if isinstance(token, bool) or not isinstance(token, int) or token < 0 or token.bit_length() > _ID_BITS:
        raise NotAReply("a place that does not name its tokens by their ids")
    assert isinstance(found, list)
    return token, found[0]


def _number(found: Json) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise NotAReply("a log-probability that is not a number")
    return float(found)


def _named(answer: JsonObject) -> str:
    if not isinstance(name := answer.get("model"), str):
        raise NotAReply("JSON without the name of its `model`")
    return name


DIALECTS: Mapping[str, Dialect] = {
    one.name: one
    for one in (
        Dialect(
            "vllm", "vLLM", "vllm", "/completions", False,
            lambda model, ids, _, top_k: _vllm_body(model, list(ids), top_k),
            lambda model, text: _vllm_body(model, text, 0),
            _vllm_places, _named, "vllm serve MODEL --max-logprobs {top_k}", "--max-model-len {tokens}",
        ),
        Dialect(
            "sglang", "SGLang", "sglang", "/generate", True,
            lambda _, ids, skipped, top_k: {"input_ids": list(ids), **_sglang_body(skipped, top_k)},
            lambda _, text: {"text": text, **_sglang_body(0, 0)},
            _sglang_places, lambda _: None,
            "python -m sglang.launch_server --model-path MODEL", "--context-length {tokens}",
        ),
    )
}  # fmt: skip
"""By the ``engine`` of a teacher in a recipe."""
