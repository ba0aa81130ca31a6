"""vLLM over a model folder, run by the Python of another environment: it imports nothing of this program.

A line of JSON on standard input is one piece of work: first ``{"model", "top_k", "tokens"}``, then for each batch
``{"prompts": [[id, ...], ...]}``. Each is answered by a line: ``{}``, then ``{"answers": [...]}``, each answer as
vLLM's server writes ``prompt_logprobs``. What vLLM itself prints goes to standard error. The work ends with the input.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Protocol


class LogProb(Protocol):
    """vLLM's ``Logprob``."""

    logprob: float


class Output(Protocol):
    """What is read of vLLM's ``RequestOutput``: for every token of the prompt log-probabilities by token id, or None.
    """

    prompt_logprobs: Iterable[Mapping[int, LogProb] | None] | None


MEMORY = 0.7
"""Share of the memory that vLLM plans for: what it needs for log-probabilities of prompts is not in its plan."""

LEAST = -9_999.0
"""What vLLM's server writes for a probability of 0."""


def answer(output: Output) -> list[dict[str, dict[str, float | None]] | None] | None:
    """``prompt_logprobs`` for JSON, in the order that vLLM has: the prompt's own token first."""
    if output.prompt_logprobs is None:
        return None
    return [
        None if not place else {str(token): {"logprob": _number(one)} for token, one in place.items()}
        for place in output.prompt_logprobs
    ]


def _number(found: LogProb) -> float | None:
    """JSON has no infinity and no NaN."""
    return None if math.isnan(found.logprob) else max(found.logprob, LEAST)


def main(source: IO[str], target: IO[str]) -> None:
    """Answer every line of ``source``."""
    from vllm import LLM, SamplingParams

    given = json.loads(source.readline())
    llm = LLM(
        model=given["model"], max_logprobs=given["top_k"], max_model_len=given["tokens"], logprobs_mode="raw_logprobs",
        skip_tokenizer_init=True, generation_config="vllm", seed=0, gpu_memory_utilization=MEMORY,
    )  # fmt: skip
    asked = SamplingParams(max_tokens=1, temperature=1.0, prompt_logprobs=given["top_k"], detokenize=False)
    print("{}", file=target, flush=True)
    for line in source:
        prompts = [{"prompt_token_ids": ids} for ids in json.loads(line)["prompts"]]
        outputs = llm.generate(prompts, asked, use_tqdm=False)
        print(json.dumps({"answers": [answer(one) for one in outputs]}), file=target, flush=True)


if __name__ == "__main__":
    # vLLM and its processes print to standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.stdin, answers)
