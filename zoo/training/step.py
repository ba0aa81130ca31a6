"""One optimizer step: its rows, its loss, its gradient, and what is done when float16 cannot hold the gradient."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch

from zoo.errors import ZooError
from zoo.training.checkpoints import Progress
from zoo.training.objective import Job
from zoo.training.parts import dealt, parts
from zoo.training.ranks import apart
from zoo.training.repeatable import seed_for
from zoo.training.schedule import learning_rate
from zoo.training.shares import entire

CLIP_NORM = 1.0


def one_step(
    objective: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    parameters: list[torch.nn.Parameter],
    job: Job,
    progress: Progress,
) -> None:
    """One optimizer step over one batch; ``progress`` is updated. Raises ZooError for a loss that is NaN or infinite.

    objective: the ``Objective`` of the job. However the batch is divided, every part's loss is divided by the assistant
    tokens of the whole batch.
    """
    started = time.monotonic()
    spec, step = job.spec, progress.step
    numbers = job.batches.rows(step)
    rate = learning_rate(step, spec.steps, spec.warmup_steps, spec.learning_rate)
    for group in optimizer.param_groups:
        group["lr"] = rate
    # Of its own in every process: dropout would otherwise leave out the same places in all of them.
    own = f" process {job.ranks.rank}" if job.ranks.rank else ""
    torch.manual_seed(seed_for(spec.seed, f"step {step}{own}"))
    scale = progress.scale.value if job.dtype == torch.float16 else 1.0
    value = _accumulate(objective, job, numbers, scale)
    norm = _clipped(parameters, scale)
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


def _accumulate(objective: torch.nn.Module, job: Job, numbers: Sequence[int], scale: float) -> float:
    """Add the gradients of the batch's mean loss, times ``scale``, to those of the parameters; the mean loss.

    Of several processes, each computes those of its own rows.
    """
    ranks, lengths = job.ranks, job.batches.lengths
    tokens = sum(len(job.rows[number].positions) for number in numbers)
    every = [parts(rows, lengths, job.spec.micro_tokens) for rows in dealt(numbers, lengths, ranks.world)]
    own = every[ranks.rank]
    # Weights in shares are gathered for every part, so all processes have as many. One without rows takes part in the
    # sums with nothing.
    count = max(map(len, every)) if ranks.sharded else max(1, len(own))
    value = 0.0
    for number in range(count):
        share = 1.0 if number < len(own) else 0.0
        with apart(objective, apart=number < count - 1):
            loss = objective(own[number] if share else numbers[:1], tokens)
            torch.autograd.backward(loss * (scale * share))
        value += float(loss.detach()) * share
    return ranks.total(value, job.device)


def _clipped(parameters: list[torch.nn.Parameter], scale: float) -> float:
    """Divide the gradients by ``scale`` and clip them; their norm before that."""
    if scale != 1.0:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.div_(scale)
    return float(entire(torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)))


def _left_out(job: Job, progress: Progress) -> bool:
    """Whether the gradient is beyond float16 and the step is left out for it; then the next scale is smaller."""
    if job.dtype != torch.float16 or not progress.scale.overflowed(progress.step + 1):
        return False
    job.report.warn(
        f"Step {progress.step + 1} is left out: its gradient is beyond float16's range. The loss scale is now "
        f"{progress.scale.value:g}"
    )
    return True
