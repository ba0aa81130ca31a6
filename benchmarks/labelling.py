"""Tokens per second of our batched answers (llama.cpp), compared with batched ``transformers.generate``, on a CPU.

Both answer the same prompts greedily, at most the same number of tokens, eight rows at a time, with the same
threads and the same weights: transformers reads them from the same GGUF file and computes in float32. Counted are
the tokens of each row up to its end; padding, and the token that ends a row, are not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import material, pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.errors import ZooError
from zoo.llama.generate import Job, generate
from zoo.llama.model import Model

PAIRS = 5
PROMPTS = 16
BATCH_ROWS = 8
DTYPE = "float32"


def ours(model: Model, prompts: Sequence[str], max_tokens: int) -> Callable[[], dict[str, Any]]:
    """All prompts through ``zoo.llama.generate``."""
    jobs = [Job(str(number), text, max_tokens) for number, text in enumerate(prompts)]

    def run() -> dict[str, Any]:
        tokens = [len(result.tokens) for result in generate(model, jobs, batch_rows=BATCH_ROWS)]
        return {"tokens": sum(tokens), "rows": len(tokens)}

    return run


class Transformers:
    """The imported model with its tokenizer, padding on the left."""

    def __init__(self, folder: Path, ends: frozenset[int], threads: int) -> None:
        import torch

        from zoo.training.models import load_model, load_tokenizer

        torch.set_num_threads(threads)
        self.model = load_model(folder, getattr(torch, DTYPE), "cpu")
        self.tokenizer = load_tokenizer(folder)
        self.tokenizer.padding_side = "left"
        self.ends = ends
        self.pad = self.tokenizer.pad_token_id
        if self.pad is None:
            self.pad = min(ends)

    def refuse_other_tokens(self, model: Model, prompts: Sequence[str]) -> None:
        """Raises ZooError if the two tokenizers disagree about a prompt, because then the work differs."""
        for text in prompts:
            theirs = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            if theirs != model.tokenize(text, add_special=False, parse_special=True):
                raise ZooError(f"the two sides read different tokens in the prompt {text[-60:]!r}")

    def run(self, prompts: Sequence[str], max_tokens: int) -> dict[str, Any]:
        """All prompts, a batch after the other."""
        tokens = []
        for start in range(0, len(prompts), BATCH_ROWS):
            tokens += self._batch(prompts[start : start + BATCH_ROWS], max_tokens)
        return {"tokens": sum(tokens), "rows": len(tokens)}

    def _batch(self, prompts: Sequence[str], max_tokens: int) -> list[int]:
        import torch

        inputs = self.tokenizer(list(prompts), add_special_tokens=False, padding=True, return_tensors="pt")
        with torch.inference_mode():
            found = self.model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                do_sample=False,
                max_new_tokens=max_tokens,
                eos_token_id=sorted(self.ends),
                pad_token_id=self.pad,
            )
        width = inputs["input_ids"].shape[1]
        return [generated(row, self.ends) for row in found[:, width:].tolist()]


def generated(row: Sequence[int], ends: frozenset[int]) -> int:
    """Tokens of a row before the first that ends it."""
    return next((number for number, token in enumerate(row) if token in ends), len(row))


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both models in memory, the prompts rendered once by the file's own template."""
    recipe, threads = material.tutor(), material.threads_or_cores(arguments.threads)
    file, max_tokens = material.teacher_file(recipe), recipe.label.max_tokens
    folder = material.imported(file, recipe.teacher.sha256, None, say)
    with Model.open(file, threads=threads, context_tokens=recipe.room_tokens, parallel=BATCH_ROWS) as model:
        conversations = material.plain_conversations(recipe, PROMPTS)
        prompts = [material.rendered(model, messages) for messages in conversations]
        say("loading the model into transformers")
        theirs = Transformers(folder, model.end_tokens, threads)
        theirs.refuse_other_tokens(model, prompts)
        yield Comparison(
            name="labelling",
            question="How fast are our batched answers, compared with batched transformers.generate?",
            a=Side("zoo.llama.generate, Q4_1", ours(model, prompts, max_tokens)),
            b=Side(f"transformers.generate, {DTYPE}", lambda: theirs.run(prompts, max_tokens)),
            target=Target("ratio", at_least=1.0),
            figure="tokens_per_second",
            packages=("llama-cpp-python", "torch", "transformers"),
            settings={
                "file": file.name,
                "file_sha256": recipe.teacher.sha256,
                "transformers_dtype": DTYPE,
                "transformers_weights": "the values of the same GGUF file, written out in float16, loaded as float32",
                "prompts": len(prompts),
                "batch_rows": BATCH_ROWS,
                "max_new_tokens": max_tokens,
                "sampling": "greedy",
                "threads": threads,
            },
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("labelling", str(__doc__), PAIRS, threads=True).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
