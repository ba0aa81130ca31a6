"""Tokens per second of our batched answers (llama.cpp), compared with batched ``transformers.generate``, on a CPU.

Both answer the same prompts of mixed length greedily, at most the same number of tokens, with the same threads and the
same weights: transformers reads them from the same GGUF file and computes in float32. Each side first tries how many
rows at a time suit it best. Counted are the tokens of each row up to its end; padding, and the token that ends a row,
are not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import material, pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.errors import ZooError
from zoo.llama import lanes, prompt
from zoo.llama.generate import Job
from zoo.llama.model import Model
from zoo.stages import answering

PAIRS = 5
BATCH_ROWS = (8, 16, 32, 64)
"""How many rows at a time each side tries, on as many prompts as the widest has."""
DTYPE = "float32"

Run = Callable[[int, int | None], dict[str, Any]]
"""Answers the first prompts, None for all (the second number), so many at a time (the first)."""


class Ours:
    """As the label stage asks its teacher, the rows divided among the contexts."""

    def __init__(self, file: Path, wanted: answering.Wanted, threads: int, stack: ExitStack) -> None:
        self.file, self.wanted, self.threads, self.stack = file, wanted, threads, stack
        self.scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-labelling-")))
        self.jobs: list[Job] = []
        self._opened: dict[int, tuple[Model, ...]] = {}

    def models(self, batch_rows: int) -> tuple[Model, ...]:
        """Open for so many rows in all, as a recipe with this number would, and kept open."""
        if batch_rows not in self._opened:
            wanted = replace(self.wanted, batch_rows=max(1, batch_rows // self.threads))
            self._opened[batch_rows] = self.stack.enter_context(
                answering.opened(self.file, wanted, self.threads, self.scratch / str(batch_rows))
            )
        return self._opened[batch_rows]

    def run(self, batch_rows: int, count: int | None) -> dict[str, Any]:
        models = self.models(batch_rows)
        each = max(1, batch_rows // self.threads)
        tokens = [len(result.tokens) for result in lanes.answered(models, self.jobs[:count], batch_rows=each)]
        return {"tokens": sum(tokens), "rows": len(tokens)}


def tried(run: Run) -> dict[int, float]:
    """Tokens per second by the number of rows at a time."""
    found = {}
    for batch_rows in BATCH_ROWS:
        start = time.perf_counter()
        tokens = run(batch_rows, max(BATCH_ROWS))["tokens"]
        found[batch_rows] = tokens / (time.perf_counter() - start)
    return found


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

    def answering(self, prompts: Sequence[str], max_tokens: int) -> Run:
        """A batch after the other."""

        def run(batch_rows: int, count: int | None) -> dict[str, Any]:
            asked = prompts[:count]
            tokens = []
            for start in range(0, len(asked), batch_rows):
                tokens += self._batch(asked[start : start + batch_rows], max_tokens)
            return {"tokens": sum(tokens), "rows": len(tokens)}

        return run

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
    conversations = material.plain_conversations(recipe, arguments.prompts)
    repack = not arguments.plain
    with ExitStack() as stack:
        wanted = answering.Wanted(max(BATCH_ROWS), recipe.room_tokens, len(conversations), repack)
        mine = Ours(file, wanted, threads, stack)
        models = mine.models(max(BATCH_ROWS))
        for batch_rows in BATCH_ROWS:
            mine.models(batch_rows)
        mine.jobs = [_job(models[0], messages, number, max_tokens) for number, messages in enumerate(conversations)]
        prompts = [job.prompt_text for job in mine.jobs]
        say("loading the model into transformers")
        theirs = Transformers(folder, models[0].end_tokens, threads)
        theirs.refuse_other_tokens(models[0], prompts)
        runs = {"a": mine.run, "b": theirs.answering(prompts, max_tokens)}
        say(f"trying {', '.join(map(str, BATCH_ROWS))} rows at a time on each side")
        speeds = {side: tried(run) for side, run in runs.items()}
        best = {side: max(found, key=lambda rows: found[rows]) for side, found in speeds.items()}
        yield Comparison(
            name="labelling",
            question="How fast are our batched answers, compared with batched transformers.generate?",
            a=Side(f"zoo.llama.lanes, Q4_1{', repacked' if repack else ''}", lambda: runs["a"](best["a"], None)),
            b=Side(f"transformers.generate, {DTYPE}", lambda: runs["b"](best["b"], None)),
            target=Target("ratio", at_least=3.0),
            figure="tokens_per_second",
            packages=("llama-cpp-python", "torch", "transformers"),
            settings={
                "file": file.name,
                "file_sha256": recipe.teacher.sha256,
                "repack": repack,
                "transformers_dtype": DTYPE,
                "transformers_weights": "the values of the same GGUF file, written out in float16, loaded as float32",
                "prompts": len(prompts),
                "batch_rows": best,
                "tokens_per_second_tried": speeds,
                "contexts": len(models),
                "max_new_tokens": max_tokens,
                "sampling": "greedy",
                "threads": threads,
            },
            # The trials have warmed both sides up.
            warmups=0,
        )


def _job(model: Model, messages: material.Messages, number: int, max_tokens: int) -> Job:
    conversation = [{"role": role, "content": content} for role, content in messages]
    text, shared = prompt.render(model, conversation), prompt.shared(model, conversation)
    return Job(str(number), text, max_tokens, shared_text=shared)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = pairs.parser("labelling", str(__doc__), PAIRS, threads=True)
    options.add_argument("--plain", action="store_true", help="without the recipe's `label: {repack: true}`")
    options.add_argument("--prompts", type=int, metavar="N", help="only the first; by default all free texts")
    return pairs.main(options.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
