"""One request to llama-server with its times, and the work that is measured next to the samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from pi_runtime import probing
from pi_runtime.bench import prompt_ids
from pi_runtime.plainjson import Json
from pi_runtime.sampling import Progress, Run
from pi_runtime.server import Server
from pi_runtime.settings import CouldNot
from pi_runtime.shape import Times, Workload
from pi_runtime.words import rate

LONG_PROMPT = 4096
LONG_DECODE = 1
QUESTION = "Explain in three sentences why the sky is blue."
CHAT_TOKENS = 64


def run(server: Server, prompt: list[int], decode_tokens: int) -> Run:
    """The prompt, its first token, and ``decode_tokens`` more."""
    begin = time.perf_counter()
    return _timed(server.stream("/completion", probing.greedy(prompt, decode_tokens + 1)), begin)


def _chat(server: Server) -> Run:
    body: dict[str, object] = {
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": CHAT_TOKENS,
        "temperature": 0,
        "cache_prompt": False,
        "timings_per_token": True,
    }
    begin = time.perf_counter()
    return _timed(server.stream("/v1/chat/completions", body), begin)


def _timed(events: Iterator[Json], begin: float) -> Run:
    first: float | None = None
    tokens: list[int] = []
    timings: Json | None = None
    for event in events:
        error = event.get("error")
        if error is not None:
            raise CouldNot(f"llama-server stopped: {error['message'].text}")
        # The first event of a chat has the role alone.
        found = event.get("tokens")
        mine = [one.whole for one in found.items] if found else []
        if first is None and (mine or _has_words(event)):
            first = time.perf_counter() - begin
        tokens += mine
        timings = event.get("timings") or timings
    if timings is None or first is None:
        raise CouldNot("llama-server ended its answer without times.")
    prompt_seconds, decode_seconds = timings["prompt_ms"].number / 1000, timings["predicted_ms"].number / 1000
    more = timings["predicted_n"].whole - 1
    if prompt_seconds <= 0 or decode_seconds <= 0 or more < 1:
        raise CouldNot("llama-server measured no time for an answer, so nothing can be said about its speed.")
    times: Times = {
        "prompt_seconds": prompt_seconds,
        "decode_seconds": decode_seconds,
        "time_to_first_token_seconds": first,
        "prompt_tokens_per_second": timings["prompt_n"].whole / prompt_seconds,
        "decode_tokens_per_second": more / decode_seconds,
    }
    cached = timings.get("cache_n")
    return Run(tokens, times, cached.whole if cached else 0)


def _has_words(event: Json) -> bool:
    choices = event.get("choices")
    return choices is not None and any(one["delta"].get("content") is not None for one in choices.items)


def more(server: Server, count: int, facts: Json, progress: Progress) -> tuple[list[Workload], list[str]]:
    """The long prompt and the chat turn, as often as the samples; and what was left out, with the reason."""
    vocabulary, context_tokens = facts["n_vocab"].whole, facts["n_ctx"].whole
    made: list[Workload] = []
    skipped = []
    if context_tokens > LONG_PROMPT + LONG_DECODE:
        prompt = prompt_ids(LONG_PROMPT, vocabulary)
        found = list(
            _repeat(lambda: run(server, prompt, LONG_DECODE), f"prompt {LONG_PROMPT}", count, progress)
        )
        made.append(_workload(f"prompt {LONG_PROMPT}", LONG_PROMPT, LONG_DECODE, found))
    else:
        skipped.append(f"prompt {LONG_PROMPT}: longer than the model's context, or than fits into the memory")
    template = server.ask("/props").get("chat_template")
    if template is not None and template.text.strip():
        found = list(_repeat(lambda: _chat(server), "chat turn", count, progress))
        made.append(_workload("chat turn", 0, CHAT_TOKENS, found))
    else:
        skipped.append("chat turn: the model has no chat template")
    return made, skipped


def _repeat(work: Callable[[], Run], name: str, count: int, progress: Progress) -> Iterator[Times]:
    for number in range(1, count + 1):
        times = work().times
        progress(
            f"{name}, {number} of {count}: "
            f"first token after {times['time_to_first_token_seconds']:.2f} s, "
            f"decode {rate(times['decode_tokens_per_second'])} tokens/s",
            None,
        )
        yield times


def _workload(name: str, prompt_tokens: int, decode_tokens: int, found: list[Times]) -> Workload:
    prompt = prompt_tokens or round(found[0]["prompt_tokens_per_second"] * found[0]["prompt_seconds"])
    decode = (
        round(found[0]["decode_tokens_per_second"] * found[0]["decode_seconds"])
        if not prompt_tokens
        else decode_tokens
    )
    return {"name": name, "prompt_tokens": prompt, "decode_tokens": decode, "samples": found}
