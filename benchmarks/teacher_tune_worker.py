"""One process of ``benchmarks.teacher_tune``: trains a teacher with random weights in one of the ways, and measures."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import distributed

from benchmarks.teacher_tune import WARMUPS, WAYS, ZERO3, Size, Way
from catalog.recipe import Distill
from zoo.progress import Silent
from zoo.training.adapters import apply_adapter, preset_named
from zoo.training.checkpoints import Progress, trainable
from zoo.training.conversations import EncodedRow
from zoo.training.layers import decoder_layers
from zoo.training.models import causal
from zoo.training.objective import Job, Objective
from zoo.training.parts import dealt
from zoo.training.ranks import Ranks
from zoo.training.schedule import Batches, learning_rate
from zoo.training.step import CLIP_NORM, one_step


@dataclass(frozen=True)
class Run:
    """What every way trains: the same rows, weights, optimizer and rates."""

    way: Way
    size: Size
    device: str
    ranks: Ranks

    def job(self) -> Job:
        """Rows with made-up tokens, of lengths between a half and the whole of ``row_tokens``; the second half of each
        is the assistant's."""
        size, random = self.size, torch.Generator().manual_seed(0)
        lengths = torch.randint(size.row_tokens // 2, size.row_tokens + 1, (size.rows,), generator=random).tolist()
        rows = tuple(
            EncodedRow(
                f"row {number}",
                tuple(torch.randint(0, size.vocabulary, (length,), generator=random).tolist()),
                tuple(position >= length // 2 for position in range(length)),
            )
            for number, length in enumerate(lengths)
        )
        spec = Distill(
            "labels", self.way.adapter, "cpu-small", WARMUPS + size.steps, size.batch_rows, size.row_tokens, 1e-4, 1, 1,
            1.0, 1, 1000, None, None, None,
        )  # fmt: skip
        dtype = torch.float32 if self.device == "cpu" else torch.bfloat16
        batches = Batches(lengths, size.batch_rows, spec.seed)
        return Job(spec, rows, batches, None, dtype, self.device, 0, Silent(), ranks=self.ranks)

    def model(self) -> Any:
        """Random weights in Llama's shape, the same in every process."""
        size = self.size
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            hidden_size=size.width, intermediate_size=8 * size.width // 3, num_hidden_layers=size.layers,
            num_attention_heads=size.width // 64 or 1, num_key_value_heads=size.width // 64 or 1,
            vocab_size=size.vocabulary, max_position_embeddings=size.row_tokens,
        )  # fmt: skip
        made = transformers.LlamaForCausalLM(config)
        return apply_adapter(made, self.way.adapter, preset_named("cpu-small")).train()


def stepper(run: Run, job: Job, progress: Progress) -> Callable[[], None]:
    """A function that takes the next step; its loss is in ``progress``."""
    model = run.model()
    if run.way.deepspeed:
        return _zero3(Objective(model, job), job, progress)
    if not run.ranks.sharded:
        model.to(run.device)
    objective = run.ranks.joined(Objective(model, job), decoder_layers(causal(model))[1], run.device)
    parameters = list(trainable(model).values())
    optimizer = _optimizer(parameters)
    return lambda: one_step(objective, optimizer, parameters, job, progress)


def _optimizer(parameters: list[Any]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0, fused=True)


def _zero3(objective: Objective, job: Job, progress: Progress) -> Callable[[], None]:
    """DeepSpeed's own loop, with the schedule and the one denominator of ours."""
    import deepspeed  # type: ignore[import-not-found]  # the project does not install it

    config = json.loads(ZERO3.read_text(encoding="utf-8"))
    assert config["gradient_clipping"] == CLIP_NORM
    parameters = [one for one in objective.parameters() if one.requires_grad]
    engine, optimizer, *_ = deepspeed.initialize(
        model=objective, model_parameters=parameters, optimizer=_optimizer(parameters), config=config
    )
    spec, ranks = job.spec, job.ranks

    def step() -> None:
        rate = learning_rate(progress.step, spec.steps, spec.warmup_steps, spec.learning_rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        numbers = job.batches.rows(progress.step)
        tokens = sum(len(job.rows[number].positions) for number in numbers)
        own = dealt(numbers, job.batches.lengths, ranks.world)[ranks.rank]
        loss = engine(own, tokens)
        # DeepSpeed takes the mean over the processes.
        engine.backward(loss * ranks.world)
        engine.step()
        value = ranks.total(float(loss.detach()), job.device)
        progress.step += 1
        progress.losses.append({"step": progress.step, "loss": value, "learning_rate": rate})

    return step


def main(name: str, size: str, device: str, threads: str, out: str) -> int:
    """Train, and let the first process write what all of them measured."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    way = WAYS[name]
    torch.set_num_threads(int(threads))
    if device != "cpu":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if world > 1:
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    run = Run(way, Size(**json.loads(size)), device, Ranks(rank, world, sharded=way.sharded))
    job, progress = run.job(), Progress(0, [], 0, 0, 0.0, int(threads))
    # What is imported first counts as memory of the program, not of a way.
    tiny = replace(run, size=Size(width=64, layers=1, vocabulary=8, steps=1), ranks=Ranks()).model()
    tiny(input_ids=torch.zeros(1, 2, dtype=torch.long)).logits.sum().backward()
    for package in way.packages:
        importlib.import_module(package)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _kilobytes("VmRSS")
    step = stepper(run, job, progress)
    for _ in range(WARMUPS):
        step()
    run.ranks.wait()
    started, busy = time.perf_counter(), _cpu_seconds()
    for _ in range(run.size.steps):
        step()
    run.ranks.wait()
    seconds, busy = time.perf_counter() - started, _cpu_seconds() - busy
    peak = (_kilobytes("VmHWM") - before) * 1024 if device == "cpu" else torch.cuda.max_memory_allocated()
    every: list[Any] = [(busy, peak)]
    if world > 1:
        every = [None] * world
        distributed.all_gather_object(every, (busy, peak))
    if not rank:
        counted = [job.batches.rows(number) for number in range(WARMUPS, WARMUPS + run.size.steps)]
        found = {
            "losses": [one["loss"] for one in progress.losses],
            "tokens": sum(len(job.rows[row].input_ids) for rows in counted for row in rows),
            "seconds": seconds,
            "processor_seconds": sum(one for one, _ in every),
            "peak_bytes_per_process": max(one for _, one in every),
        }
        Path(out).write_text(json.dumps(found), encoding="utf-8")
    if world > 1:
        run.ranks.wait()
        distributed.destroy_process_group()
    return 0


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
