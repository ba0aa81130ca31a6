"""Whether a running model answers correctly: a wrong kernel or a wrong KV cache can be fast.

Two checks, both by llama-server's ``/completion`` with the most probable token:

1. Well-known sequences are continued, such as the days of the week. Noise gets none of them right.
2. Tokens that were decoded one after the other are given again as one prompt. The two ways use other kernels, and the
   second fills the cache in one batch, so each token must be as probable there as the best one, within GAP_NATS.
"""

from __future__ import annotations

from pi_runtime.server import Server
from pi_runtime.shape import Probe

SEQUENCES = (
    ("Monday, Tuesday, Wednesday, Thursday,", "Friday"),
    ("January, February, March, April,", "May"),
    ("one, two, three, four, five,", "six"),
    ("A, B, C, D, E,", "F"),
    ("The capital of France is", "Paris"),
    ("1, 2, 3, 4, 5, 6,", "7"),
)
RIGHT = 2
"""Sequences that must be continued correctly. A model of another language may know few of them; noise knows none."""

STEPS = 8
GAP_NATS = 0.5
"""Rounding of other kernels moves the logarithm of a probability by a few hundredths; a broken cache by several."""

TOP = 20


def probe(server: Server, prompt: list[int]) -> Probe:
    """Run both checks. prompt: token ids."""
    right = sum(_continues(server, text, word) for text, word in SEQUENCES)
    gaps = _gaps(server, prompt)
    worst = max(gaps, default=0.0)
    return {
        "passed": right >= RIGHT and worst <= GAP_NATS,
        "continuations": right,
        "continuations_asked": len(SEQUENCES),
        "steps": len(gaps),
        "largest_gap_nats": worst,
    }


def failure(found: Probe) -> str | None:
    """The reason why a run with this probe is not valid; None if it passed."""
    if found["passed"]:
        return None
    if found["continuations"] < RIGHT:
        asked = found["continuations_asked"]
        return f"the answers are wrong: only {found['continuations']} of {asked} well-known sequences were continued"
    return (
        f"the answers differ between one batch and token after token by {found['largest_gap_nats']:.2g} nats; "
        f"at most {GAP_NATS:g} are allowed"
    )


def greedy(prompt: str | list[int], tokens: int) -> dict[str, object]:
    """The request for the most probable continuation, without any cache of earlier prompts."""
    return {
        "prompt": prompt,
        "n_predict": tokens,
        "temperature": 0,
        "cache_prompt": False,
        "ignore_eos": True,
        "return_tokens": True,
    }


def _continues(server: Server, text: str, word: str) -> bool:
    said = server.ask("/completion", greedy(text, 4))["content"].text
    return said.strip().startswith(word)


def _gaps(server: Server, prompt: list[int]) -> list[float]:
    """For each step: log-probability of the best token of the batch, less that of the token of the single steps."""
    steps = [one.whole for one in server.ask("/completion", greedy(prompt, STEPS))["tokens"].items]
    found = []
    for place, token in enumerate(steps[1:], 1):
        body = {**greedy([*prompt, *steps[:place]], 1), "n_probs": TOP}
        (first,) = server.ask("/completion", body)["completion_probabilities"].items
        top = {one["id"].whole: one["logprob"].number for one in first["top_logprobs"].items}
        best = max(top.values())
        # A token that is not among the best ones is at least as far away as the last of them.
        found.append(best - top.get(token, min(top.values()) - GAP_NATS))
    return found
