"""Decode tokens per second as ``pi_runtime`` measures it, compared with a bare loop over llama.cpp's C interface.

Both load the same file, read the same prompt once to warm up, then read it again and decode one greedy token after
the other with the same threads. A ratio near 1 means that our measuring costs nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import material, pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from pi_runtime import bench
from pi_runtime.settings import Settings
from zoo.errors import ZooError
from zoo.llama import library

PAIRS = 9
PROMPT_TOKENS = 64
DECODE_TOKENS = 64
ENGINE = (sys.executable, "-m", "zoo.llama.measure.speed")


class Bare:
    """One model and one context; the fewest calls that can decode."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.lib = lib = library.require()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self.model:
            raise ZooError(f"llama.cpp cannot load {path.name}")
        wanted = lib.llama_context_default_params()
        wanted.n_ctx = settings.context_wanted
        wanted.n_batch = wanted.n_ubatch = settings.prompt_tokens
        wanted.n_threads = wanted.n_threads_batch = settings.threads_used
        self.context = lib.llama_init_from_model(self.model, wanted)
        if not self.context:
            raise ZooError(f"llama.cpp cannot make a context for {path.name}")
        self.sampler = lib.llama_sampler_init_greedy()
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))

    def decode(self, prompt: Sequence[int], count: int) -> tuple[list[int], float]:
        """The tokens after ``prompt``, and the seconds for all except the first."""
        lib, context, sampler = self.lib, self.context, self.sampler
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        array = (lib.llama_token * len(prompt))(*prompt)
        failed = lib.llama_decode(context, lib.llama_batch_get_one(array, len(prompt)))
        token = lib.llama_sampler_sample(sampler, context, -1)
        tokens, one = [token], (lib.llama_token * 1)()
        start = time.perf_counter()
        for _ in range(count):
            one[0] = token
            failed |= lib.llama_decode(context, lib.llama_batch_get_one(one, 1))
            token = lib.llama_sampler_sample(sampler, context, -1)
            tokens.append(token)
        seconds = time.perf_counter() - start
        if failed:
            raise ZooError("llama.cpp could not decode")
        return tokens, seconds

    def close(self) -> None:
        """Free the memory."""
        self.lib.llama_sampler_free(self.sampler)
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)


class Sides:
    """Both ways on one file. They must choose the same tokens, or they did not do the same work."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path, self.settings = path, settings
        self.tokens: list[int] = []

    def measured(self) -> dict[str, Any]:
        """``pi_runtime``'s measurement with one warm-up and one sample."""
        report = bench.measure(self.path, self.settings, ENGINE)
        self._agree(report["decoded_token_ids"])
        return {"decode_tokens_per_second": report["samples"][0]["decode_tokens_per_second"]}

    def bare(self) -> dict[str, Any]:
        """The bare loop, also newly loaded and warmed up once."""
        loop, count = Bare(self.path, self.settings), self.settings.decode_tokens
        try:
            prompt = bench.prompt_ids(self.settings.prompt_tokens, loop.vocabulary)
            loop.decode(prompt, count)
            tokens, seconds = loop.decode(prompt, count)
        finally:
            loop.close()
        self._agree(tokens)
        return {"decode_tokens_per_second": count / seconds}

    def _agree(self, tokens: list[int]) -> None:
        self.tokens = self.tokens or tokens
        if tokens != self.tokens:
            raise ZooError("the two sides decoded different tokens, so they did not do the same work")


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The starter's file and both loops."""
    del say
    recipe, threads = material.tutor(), material.threads_or_cores(arguments.threads)
    path = material.teacher_file(recipe)
    settings = Settings(PROMPT_TOKENS, DECODE_TOKENS, samples=1, threads=threads)
    settings.check()
    sides = Sides(path, settings)
    yield Comparison(
        name="decode",
        question="Does pi_runtime's measuring slow decoding down?",
        a=Side("pi_runtime.bench.measure", sides.measured),
        b=Side("bare llama_decode loop", sides.bare),
        target=Target("ratio", at_least=0.95, at_most=1.05),
        figure="decode_tokens_per_second",
        packages=("llama-cpp-python",),
        settings={
            "file": path.name,
            "file_sha256": recipe.teacher.sha256,
            "prompt_tokens": PROMPT_TOKENS,
            "decode_tokens": DECODE_TOKENS,
            "threads": threads,
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("decode", str(__doc__), PAIRS, threads=True).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
