"""The steps of a training, in this process: alone, or as one of several that train together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zoo.errors import AGAIN, ModelFileError, ZooError
from zoo.training import checkpoints
from zoo.training.adapters import load_trainable, preset_named
from zoo.training.checkpoints import Progress
from zoo.training.layers import decoder_layers
from zoo.training.models import causal, check_head
from zoo.training.objective import Job, Objective, chosen_loss, recompute
from zoo.training.repeatable import seed_for
from zoo.training.step import one_step

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Trained:
    """A trained model. resumed: the step of the checkpoint that the training continued from, None without one."""

    model: PreTrainedModel
    progress: Progress
    resumed: int | None


def train(student: Path, scratch: Path, job: Job, threads: int) -> Trained:
    """Run the steps that the newest checkpoint in ``scratch`` leaves. The first of several processes writes them."""
    spec, first = job.spec, job.ranks.rank == 0
    torch.manual_seed(seed_for(spec.seed, "adapter"))
    # In shares, the device gets one layer after the other.
    place = "cpu" if job.ranks.sharded else job.device
    model = load_trainable(student, spec.adapter, preset_named(spec.preset), job.dtype, place)
    if spec.adapter != "qlora":
        # bitsandbytes repacks 4-bit weights on a CPU at the first forward pass in evaluation mode, and the
        # repacked product has no gradient: a 4-bit model must not be run before it is trained.
        check_head(model.eval(), job.rows[0].input_ids)
        model.train()
    if spec.gradient_checkpointing:
        recompute(model)
    job = replace(job, loss=chosen_loss(model, spec, job.dtype, job.device))
    objective = job.ranks.joined(Objective(model, job), _layers(model), job.device)
    parameters = list(checkpoints.trainable(model).values())
    optimizer = torch.optim.AdamW(
        parameters, lr=spec.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    found = _restored(scratch, model, optimizer, job)
    progress = found or Progress(0, [], 0, 0, 0.0, threads, processes=job.ranks.world)
    if found:
        _continue(found, job, threads)
    resumed = progress.step if found else None
    with job.report.task("distil", spec.steps, "steps") as advance:
        advance(progress.step)
        while progress.step < spec.steps:
            one_step(objective, optimizer, parameters, job, progress)
            due = progress.step % spec.checkpoint_every_steps == 0 or progress.step == spec.steps
            if due and (first or job.ranks.sharded):
                checkpoints.save(scratch, model, optimizer, progress, write=first)
            advance(1)
    return Trained(model, progress, resumed)


def _layers(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The layers, which are gathered one by one; none of an architecture where they are not found."""
    try:
        return list(decoder_layers(causal(model))[1])
    except ModelFileError:
        return []


def _restored(
    scratch: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer, job: Job
) -> Progress | None:
    """Restore the newest checkpoint; the first process does so before the others, because it deletes damaged ones."""
    if job.ranks.rank:
        job.ranks.wait()
    found = checkpoints.restore(scratch, model, optimizer, job.report, sweep=not job.ranks.rank)
    if not job.ranks.rank:
        job.ranks.wait()
    if not job.ranks.same(found.step if found else 0, job.device):
        raise ZooError(
            "The machines do not see the same checkpoint, so their work folder is not the same one",
            safe="Nothing was trained. Checkpoints are kept.",
            remedy="Share the folder, or wait a minute until all machines see what was written",
            again=AGAIN,
        )
    return found


def _continue(found: Progress, job: Job, threads: int) -> None:
    """Report where the training continues, and what may change its last bits."""
    job.report.say(f"Continuing after step {found.step} of {job.spec.steps}")
    now = (threads, "threads"), (job.ranks.world, "processes")
    for before, (count, what) in zip((found.threads, found.processes), now, strict=True):
        if before != count:
            job.report.warn(
                f"Started with {before} {what}, now using {count}: the last bits of the weights may differ"
            )
