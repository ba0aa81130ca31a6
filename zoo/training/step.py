"""One optimizer step: its rows, its loss, its gradient, and what is done when float16 cannot hold the gradient."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from catalog.losses import FORWARD_KL
from catalog.recipe import Distill, DistillLoss
from zoo.errors import InputError, ZooError
from zoo.progress import Reporter
from zoo.training.checkpoints import Progress
from zoo.training.conversations import EncodedRow
from zoo.training.fused import Goal, Loss, sparse_loss
from zoo.training.losses import label_cross_entropy, topk_kld
from zoo.training.models import causal, hidden_at, logit_scale, logits_at, softcap
from zoo.training.repeatable import seed_for
from zoo.training.schedule import Batches, learning_rate
from zoo.training.teacher import TeacherCache

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CLIP_NORM = 1.0


@dataclass(frozen=True)
class Job:
    """Everything that stays the same for all steps.

    width: logits that the loss looks at, from the first one on; None for all (``zoo.training.pairing``). loss: the one
    that is computed with the head chunk by chunk, or None for that of all positions together.
    """

    spec: Distill
    rows: tuple[EncodedRow, ...]
    batches: Batches
    cache: TeacherCache | None
    dtype: torch.dtype
    device: str
    pad: int
    report: Reporter
    width: int | None = None
    loss: Loss | None = None


def chosen_loss(model: PreTrainedModel, spec: Distill, dtype: torch.dtype, device: str) -> Loss | None:
    """The loss that is computed with the head chunk by chunk; None for that of all positions together.

    The latter is the forward KL divergence (or the cross-entropy) in float32 on a processor: its sums have another
    order, and releases have its bytes. Raises InputError for a loss of a recipe that the model's head does not allow.
    """
    if spec.loss is None and dtype == torch.float32 and device == "cpu":
        return None
    wanted = spec.loss or DistillLoss(FORWARD_KL, None, None)
    head = causal(model).get_output_embeddings()
    if type(head) is torch.nn.Linear:
        temperature = spec.temperature if spec.method == "logits" else 1.0
        return Loss(wanted.kind, wanted.beta or 0.0, temperature, softcap(model), logit_scale(model))
    if spec.loss is None:
        return None
    raise InputError(
        f"distill.loss needs an output head that is one matrix, but this model's is a {type(head).__name__}",
        remedy="Delete distill.loss from the recipe",
    )


def one_step(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    job: Job,
    progress: Progress,
) -> None:
    """One optimizer step over one batch; ``progress`` is updated. Raises ZooError for a loss that is NaN or infinite.
    """
    started = time.monotonic()
    spec, step = job.spec, progress.step
    numbers = job.batches.rows(step)
    rate = learning_rate(step, spec.steps, spec.warmup_steps, spec.learning_rate)
    for group in optimizer.param_groups:
        group["lr"] = rate
    torch.manual_seed(seed_for(spec.seed, f"step {step}"))
    loss = _loss(model, job, numbers)
    norm = _gradient(loss, parameters, progress.scale.value if job.dtype == torch.float16 else 1.0)
    value = float(loss.detach())
    if not math.isfinite(value) or not (math.isfinite(norm) or _left_out(job, progress)):
        raise ZooError(
            f"The loss became NaN or infinite at step {step + 1} of {spec.steps} (loss {value}, gradient {norm})",
            safe="Earlier checkpoints are kept",
            remedy=f"Lower distill.learning_rate (now {spec.learning_rate:g}) or raise distill.warmup_steps "
            f"(now {spec.warmup_steps})",
        )
    if math.isfinite(norm):
        optimizer.step()
        if job.dtype == torch.float16:
            progress.scale.held()
    optimizer.zero_grad(set_to_none=True)
    progress.step += 1
    progress.losses.append({"step": progress.step, "loss": value, "learning_rate": rate})
    progress.assistant_tokens += sum(len(job.rows[number].positions) for number in numbers)
    progress.row_tokens += sum(len(job.rows[number].input_ids) for number in numbers)
    progress.seconds += time.monotonic() - started


def _gradient(loss: torch.Tensor, parameters: list[torch.nn.Parameter], scale: float) -> float:
    """The gradients of ``loss``, computed at ``scale`` times its size and clipped; their norm before that."""
    torch.autograd.backward(loss * scale)
    if scale != 1.0:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.div_(scale)
    return float(torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM))


def _left_out(job: Job, progress: Progress) -> bool:
    """Whether the gradient is beyond float16 and the step is left out for it; then the next scale is smaller."""
    if job.dtype != torch.float16 or not progress.scale.overflowed(progress.step + 1):
        return False
    job.report.warn(
        f"Step {progress.step + 1} is left out: its gradient is beyond float16's range. The loss scale is now "
        f"{progress.scale.value:g}"
    )
    return True


def _loss(model: PreTrainedModel, job: Job, numbers: Sequence[int]) -> torch.Tensor:
    """Mean loss per assistant token of the batch, in nats."""
    rows = [job.rows[number] for number in numbers]
    longest = max(len(row.input_ids) for row in rows)
    padded = [[*row.input_ids, *[job.pad] * (longest - len(row.input_ids))] for row in rows]
    where = [(number, position) for number, row in enumerate(rows) for position in row.positions]
    at_rows, positions = (torch.tensor(part, device=job.device) for part in zip(*where, strict=True))
    ids = torch.tensor(padded, device=job.device)
    # Of an adapter too: its own matrices are in float32, and their products would be.
    with torch.autocast(torch.device(job.device).type, dtype=job.dtype, enabled=job.dtype != torch.float32):
        if job.loss is not None:
            return _chunked(model, hidden_at(model, ids, at_rows, positions), _goal(job, numbers), job, job.loss)
        logits = logits_at(model, ids, at_rows, positions)
    if job.cache is None:
        labels = torch.tensor([label for row in rows for label in row.labels], device=job.device)
        return label_cross_entropy(logits, labels).mean()
    return topk_kld(logits[..., : job.width], *_goal(job, numbers), job.spec.temperature).mean()


def _chunked(model: PreTrainedModel, hidden: torch.Tensor, goal: Goal, job: Job, loss: Loss) -> torch.Tensor:
    head = causal(model).get_output_embeddings()
    weight = head.weight if job.width is None else head.weight[: job.width]
    if head.bias is not None:
        # A bias is one more column, whose input is always 1.
        weight = torch.cat([weight, head.bias[: job.width, None]], dim=1)
        hidden = torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)
    chunk = job.spec.loss.chunk_positions if job.spec.loss else None
    return sparse_loss(hidden, weight, goal, loss, denominator=len(hidden), chunk=chunk)


def _goal(job: Job, numbers: Sequence[int]) -> Goal:
    """The teacher's answers at the positions of these rows; without a teacher, the label is certain."""
    if job.cache is not None:
        found = job.cache.targets(numbers)
        return Goal(*(tensor.to(job.device) for tensor in (found.ids, found.logp, found.tail_logp)))
    labels = torch.tensor([[label] for number in numbers for label in job.rows[number].labels], device=job.device)
    certain = torch.zeros(labels.shape, device=job.device)
    return Goal(labels, certain, torch.full_like(certain[:, 0], -torch.inf))
