"""Seconds of one distillation step with the teacher read from the cache, compared with a step that runs the teacher.

A is the step of ``zoo.training``: cached top-k of the teacher, logits at the assistant's positions only.
B is the plain way: the teacher's forward pass inside the step, logits of both models at every position, KL over the
complete vocabulary, averaged over the same assistant positions. Rows, student, optimizer and clipping are the same.
Filling the cache is not in A's step; how long it took is in ``settings``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import material, pairs
from benchmarks.material import Messages, Tutor
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.llama.generate import Job, generate
from zoo.llama.model import Model
from zoo.progress import Silent
from zoo.training import require
from zoo.training.conversations import Conversation

PAIRS = 7


def answered(recipe: Tutor, file: Path, threads: int) -> list[Conversation]:
    """As many conversations as a step has rows, answered by the teacher as in the label stage."""
    rows = recipe.distill.batch_rows
    asked = material.plain_conversations(recipe, rows)
    with Model.open(file, threads=threads, context_tokens=recipe.room_tokens, parallel=rows) as model:
        jobs = [
            Job(str(number), material.rendered(model, messages), recipe.label.max_tokens)
            for number, messages in enumerate(asked)
        ]
        texts = {result.key: result.text.strip() for result in generate(model, jobs, batch_rows=rows)}
    return [_conversation(str(number), asked[number], texts[str(number)]) for number in range(rows)]


def _conversation(key: str, messages: Messages, text: str) -> Conversation:
    return Conversation(key, (*messages, ("assistant", text)))


class Lesson:
    """The rows of one step, and a student with its optimizer for either side."""

    def __init__(self, student: Path, teacher: Path, chats: list[Conversation], recipe: Tutor) -> None:
        from zoo.training.conversations import encode
        from zoo.training.models import load_tokenizer

        self.spec = recipe.distill
        tokenizer = load_tokenizer(student)
        self.rows = encode(tokenizer, chats, self.spec.row_tokens).rows
        self.pad = tokenizer.pad_token_id or 0
        self.student, self.teacher = student, teacher

    def trainee(self) -> tuple[Any, Any, list[Any]]:
        """Model, optimizer and the trained weights, as in the training loop."""
        import torch

        from zoo.training.adapters import load_trainable, preset_named

        spec = self.spec
        model = load_trainable(self.student, spec.adapter, preset_named(spec.preset), torch.float32, "cpu")
        moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            moving, lr=spec.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )
        return model, optimizer, moving

    def cached(self, folder: Path) -> tuple[Callable[[], dict[str, Any]], float]:
        """The training loop's own step, and the seconds that filling the teacher's cache took."""
        import torch

        from zoo.training.checkpoints import Progress
        from zoo.training.objective import Job, Objective
        from zoo.training.schedule import Batches
        from zoo.training.step import one_step
        from zoo.training.teacher import Question, cache_teacher

        spec, started = self.spec, time.perf_counter()
        cache = cache_teacher(Question(self.teacher, self.rows, spec.top_k, spec.temperature), folder, Silent())
        seconds = time.perf_counter() - started
        model, optimizer, moving = self.trainee()
        batches = Batches([len(row.input_ids) for row in self.rows], spec.batch_rows, spec.seed)
        job = Job(spec, self.rows, batches, cache, torch.float32, "cpu", self.pad, Silent())
        objective, progress = Objective(model, job), Progress(0, [], 0, 0, 0.0, torch.get_num_threads())

        def run() -> dict[str, Any]:
            one_step(objective, optimizer, moving, job, progress)
            return {"loss_nats_per_token": progress.losses[-1]["loss"]}

        return run, seconds

    def online(self) -> Callable[[], dict[str, Any]]:
        """The plain step."""
        import torch

        from zoo.training.models import load_model
        from zoo.training.schedule import learning_rate
        from zoo.training.step import CLIP_NORM

        teacher = load_model(self.teacher, torch.float32, "cpu")
        student, optimizer, moving = self.trainee()
        ids, mask, wanted = self._padded()
        steps, spec = itertools.count(), self.spec

        def run() -> dict[str, Any]:
            # The loop's schedule, so that the losses of the two sides can be compared.
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(next(steps), spec.steps, spec.warmup_steps, spec.learning_rate)
            # Deterministic mode fills every new tensor once more; a plain loop would not request that.
            torch.use_deterministic_algorithms(False)
            inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
            with torch.no_grad():
                goal = (teacher(**inputs).logits / spec.temperature).log_softmax(dim=-1)
            logp = (student(**inputs).logits / spec.temperature).log_softmax(dim=-1)
            kld = torch.nn.functional.kl_div(logp, goal, reduction="none", log_target=True).sum(dim=-1)
            loss = kld[wanted].mean() * spec.temperature**2
            loss.backward()
            torch.nn.utils.clip_grad_norm_(moving, CLIP_NORM)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            torch.use_deterministic_algorithms(True)
            return {"loss_nats_per_token": float(loss.detach())}

        return run

    def _padded(self) -> tuple[Any, Any, Any]:
        """Token ids, attention mask and the positions that count, each [rows, tokens]."""
        import torch

        longest = max(len(row.input_ids) for row in self.rows)
        ids = torch.full((len(self.rows), longest), self.pad)
        mask, wanted = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
        for number, row in enumerate(self.rows):
            ids[number, : len(row.input_ids)] = torch.tensor(row.input_ids)
            mask[number, : len(row.input_ids)] = 1
            wanted[number, list(row.positions)] = True
        return ids, mask, wanted


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Teacher, two students of the same weights, and the rows of one step."""
    require()
    from zoo.training.repeatable import repeatable

    recipe, threads = material.tutor(), material.threads_or_cores(arguments.threads)
    file = material.teacher_file(recipe)
    teacher = material.imported(file, recipe.teacher.sha256, None, say)
    student = material.imported(file, recipe.teacher.sha256, recipe.layers, say)
    say("asking the teacher for answers")
    lesson = Lesson(student, teacher, answered(recipe, file, threads), recipe)
    with tempfile.TemporaryDirectory() as folder, repeatable(threads, "cpu"):
        say("filling the teacher's cache")
        cached, cache_seconds = lesson.cached(Path(folder))
        yield _comparison(lesson, recipe, cached, cache_seconds, threads)


def _comparison(
    lesson: Lesson, recipe: Tutor, cached: Callable[[], dict[str, Any]], cache_seconds: float, threads: int
) -> Comparison:
    return Comparison(
        name="kd_step",
        question="How long is a distillation step with a cached teacher, compared with one that runs the teacher?",
        a=Side("cached teacher, assistant positions, top k", cached),
        b=Side("teacher in the step, all positions, full vocabulary", lesson.online()),
        target=Target("ratio", at_most=1.0),
        packages=("llama-cpp-python", "safetensors", "torch", "transformers"),
        settings={
            "student_layers": len(recipe.layers),
            "batch_rows": len(lesson.rows),
            "row_tokens_maximum": lesson.spec.row_tokens,
            "tokens": sum(len(row.input_ids) for row in lesson.rows),
            "tokens_longest_row": max(len(row.input_ids) for row in lesson.rows),
            "assistant_tokens": sum(len(row.positions) for row in lesson.rows),
            "top_k": lesson.spec.top_k,
            "temperature": lesson.spec.temperature,
            "adapter": lesson.spec.adapter,
            "dtype": "float32",
            "threads": threads,
            "deterministic_algorithms": {"a": True, "b": False},
            "teacher_cache_seconds": cache_seconds,
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("kd_step", str(__doc__), PAIRS, threads=True).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
