"""What a step makes smaller: its rows go through the student, and their share of the step's loss comes out.

Student, output head and loss are one module, so that whatever wraps it (several processes) sees every weight that the
loss uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from catalog.losses import FORWARD_KL
from catalog.recipe import Distill, DistillLoss
from zoo.errors import InputError
from zoo.progress import Reporter
from zoo.training.conversations import EncodedRow
from zoo.training.fused import Goal, Loss, sparse_loss
from zoo.training.losses import label_cross_entropy, topk_kld
from zoo.training.models import causal, hidden_at, logit_scale, logits_at, softcap
from zoo.training.ranks import ALONE, Ranks
from zoo.training.schedule import Batches
from zoo.training.teacher import TeacherCache

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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
    ranks: Ranks = ALONE


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


def recompute(model: PreTrainedModel) -> None:
    """Let every layer compute its intermediate results again for its gradient instead of keeping them.

    Random numbers are drawn again as they were, so dropout is the same. Raises InputError for an architecture that
    transformers cannot do this with.
    """
    own = causal(model)
    if not own.supports_gradient_checkpointing:
        raise InputError(
            f"{type(own).__name__} cannot compute its layers again for the gradient",
            remedy="Delete distill.gradient_checkpointing from the recipe. A smaller distill.micro_tokens also saves "
            "memory",
        )
    own.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


class Objective(torch.nn.Module):
    """The student with its loss. Called with row numbers and the step's assistant tokens, it gives one number: the sum
    of the losses at the rows' assistant tokens, in nats, divided by those of the whole step."""

    def __init__(self, model: PreTrainedModel, job: Job) -> None:
        super().__init__()
        self.model = model
        self._job = job

    def forward(self, numbers: Sequence[int], denominator: int) -> torch.Tensor:
        """The rows' share of the step's mean loss per assistant token."""
        job, model = self._job, self.model
        rows = [job.rows[number] for number in numbers]
        longest = max(len(row.input_ids) for row in rows)
        padded = [[*row.input_ids, *[job.pad] * (longest - len(row.input_ids))] for row in rows]
        where = [(number, position) for number, row in enumerate(rows) for position in row.positions]
        at_rows, positions = (torch.tensor(part, device=job.device) for part in zip(*where, strict=True))
        ids = torch.tensor(padded, device=job.device)
        # Of an adapter too: its own matrices are in float32, and their products would be.
        with torch.autocast(torch.device(job.device).type, dtype=job.dtype, enabled=job.dtype.itemsize <= 2):
            if job.loss is not None:
                return _chunked(model, hidden_at(model, ids, at_rows, positions), _goal(job, numbers), job, denominator)
            logits = logits_at(model, ids, at_rows, positions)
        if job.cache is None:
            labels = torch.tensor([label for row in rows for label in row.labels], device=job.device)
            return label_cross_entropy(logits, labels).sum() / denominator
        return topk_kld(logits[..., : job.width], *_goal(job, numbers), job.spec.temperature).sum() / denominator


def _chunked(
    model: PreTrainedModel, hidden: torch.Tensor, goal: Goal, job: Job, denominator: int
) -> torch.Tensor:
    assert job.loss
    head = causal(model).get_output_embeddings()
    weight = head.weight if job.width is None else head.weight[: job.width]
    if head.bias is not None:
        # A bias is one more column, whose input is always 1.
        weight = torch.cat([weight, head.bias[: job.width, None]], dim=1)
        hidden = torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)
    chunk = job.spec.loss.chunk_positions if job.spec.loss else None
    return sparse_loss(hidden, weight, goal, job.loss, denominator=denominator, chunk=chunk)


def _goal(job: Job, numbers: Sequence[int]) -> Goal:
    """The teacher's answers at the positions of these rows; without a teacher, the label is certain."""
    if job.cache is not None:
        found = job.cache.targets(numbers)
        return Goal(*(tensor.to(job.device) for tensor in (found.ids, found.logp, found.tail_logp)))
    labels = torch.tensor([[label] for number in numbers for label in job.rows[number].labels], device=job.device)
    certain = torch.zeros(labels.shape, device=job.device)
    return Goal(labels, certain, torch.full_like(certain[:, 0], -torch.inf))
