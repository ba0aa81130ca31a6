"""How well a student does on conversations that it was not trained on.

Perplexity is exp of the mean negative log-likelihood of the assistant's tokens. The divergence is the mean
KL(teacher || student) over the complete vocabulary, and same_top_share how often both rank the same token first.

Tokens of one conversation are not independent, so the conversation is the unit of sampling. With x_r the sum
over row r and n_r its tokens, the mean m = sum x_r / sum n_r is a ratio estimator and, with R rows,

    se(m)^2 = R / (R - 1) * sum (x_r - m n_r)^2 / (sum n_r)^2

(Cochran, Sampling Techniques, 3rd ed. 1977, chapter 6, without the finite population correction; Miller 2024,
"Adding Error Bars to Evals", section 2.2, uses the same clustering; ``zoo.judge.divergence.ratio_mean`` is the same
estimator over windows of positions, while here only a conversation's sums are available). By the delta method
se(exp m) = exp(m) se(m).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

from catalog.microbatches import READ_LOGITS_BYTES
from zoo.llama.measure.logits import window_logits
from zoo.llama.model import Model
from zoo.progress import Reporter
from zoo.training.conversations import EncodedRow
from zoo.training.losses import full_kld, label_cross_entropy
from zoo.training.models import causal, hidden_at, logits_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel



Teacher: TypeAlias = "PreTrainedModel | Model"
"""In torch, or in llama.cpp."""


@dataclass(frozen=True)
class Estimate:
    """A mean per token and its standard error; se is None with fewer than two rows."""

    mean: float
    se: float | None


@dataclass(frozen=True)
class Heldout:
    """Figures over ``rows`` conversations with ``tokens`` assistant tokens; None without a teacher."""

    rows: int
    tokens: int
    perplexity: float | None
    perplexity_se: float | None
    kld_mean_nats: float | None
    kld_mean_se_nats: float | None
    same_top_share: float | None
    same_top_share_se: float | None


@dataclass(frozen=True)
class RowSums:
    """The sums of every conversation: assistant tokens, loss and divergence in nats, positions with the same top token.
    The last two are NaN without a teacher."""

    counts: tuple[int, ...]
    loss: tuple[float, ...]
    kld: tuple[float, ...]
    same: tuple[float, ...]
    has_teacher: bool


def measure(
    student: PreTrainedModel,
    teacher: Teacher | None,
    rows: Sequence[EncodedRow],
    report: Reporter,
    what: str,
) -> Heldout:
    """Measure ``student`` (and compare with ``teacher``, of the same vocabulary) over ``rows``, at
    temperature 1.
    """
    return figures(row_sums(student, teacher, rows, report, what))


def row_sums(
    student: PreTrainedModel,
    teacher: Teacher | None,
    rows: Sequence[EncodedRow],
    report: Reporter,
    what: str,
) -> RowSums:
    """What ``measure`` makes its figures of."""
    sums = []
    with report.task(what, sum(len(row.input_ids) for row in rows), "tokens") as advance:
        for row in rows:
            sums.append(_row_sums(student, teacher, row))
            advance(len(row.input_ids))
    counts = tuple(len(row.positions) for row in rows)
    loss, kld, same = (tuple(row[column] for row in sums) for column in range(3))
    return RowSums(counts, loss, kld, same, teacher is not None)


def difference(one: RowSums, other: RowSums) -> Estimate:
    """``other`` minus ``one``, per token, over the same conversations: the divergence, or the loss without a teacher.
    What makes a conversation hard for both cancels out."""
    first, second = (found.kld if found.has_teacher else found.loss for found in (one, other))
    return ratio([after - before for before, after in zip(first, second, strict=True)], one.counts)


def figures(sums: RowSums) -> Heldout:
    """Means and standard errors."""
    perplexity = perplexity_of(ratio(sums.loss, sums.counts))
    none = Estimate(math.nan, None)
    kld, same = (ratio(one, sums.counts) if sums.has_teacher else none for one in (sums.kld, sums.same))
    return Heldout(
        rows=len(sums.counts),
        tokens=sum(sums.counts),
        perplexity=_finite(perplexity.mean),
        perplexity_se=_finite(perplexity.se),
        kld_mean_nats=_finite(kld.mean),
        kld_mean_se_nats=_finite(kld.se),
        same_top_share=_finite(same.mean),
        same_top_share_se=_finite(same.se),
    )


def ratio(sums: Sequence[float], counts: Sequence[int]) -> Estimate:
    """The mean per token of row sums and its standard error, by the formula above; NaN without tokens."""
    tokens = sum(counts)
    if tokens == 0:
        return Estimate(math.nan, None)
    mean = math.fsum(sums) / tokens
    if len(sums) < 2:
        return Estimate(mean, None)
    square = math.fsum((total - mean * count) ** 2 for total, count in zip(sums, counts, strict=True))
    return Estimate(mean, math.sqrt(len(sums) / (len(sums) - 1) * square) / tokens)


def perplexity_of(loss: Estimate) -> Estimate:
    """exp of a mean loss in nats, with its standard error by the delta method; infinite beyond float64."""
    value = math.exp(loss.mean) if loss.mean < 700 else math.inf
    return Estimate(value, None if loss.se is None else value * loss.se)


def _row_sums(
    student: PreTrainedModel, teacher: Teacher | None, row: EncodedRow
) -> tuple[float, float, float]:
    """Sums over the assistant positions: loss in nats, KL in nats, positions with the same top token."""
    with torch.no_grad():
        hidden = _hidden(student, row)
        theirs = None if teacher is None else _logits_of(teacher, row)
        parts = max(1, READ_LOGITS_BYTES // (4 * causal(student).get_output_embeddings().weight.shape[0]))
        sums = []
        for start in range(0, len(hidden), parts):
            part = slice(start, start + parts)
            ours = logits_of(student, hidden[part])
            labels = torch.tensor(row.labels[part], device=ours.device)
            loss = float(label_cross_entropy(ours, labels).sum(dtype=torch.float64))
            sums.append((loss, *(_compared(ours, theirs(part)) if theirs else (math.nan, math.nan))))
    loss, kld, same = (math.fsum(column) for column in zip(*sums, strict=True))
    return loss, kld, same


def _logits_of(teacher: Teacher, row: EncodedRow) -> Callable[[slice], torch.Tensor]:
    """Gives the teacher's logits at a part of the row's positions."""
    if isinstance(teacher, Model):
        first = row.positions[0]
        rows = window_logits(teacher, row.input_ids[: row.positions[-1] + 1], first=first)
        return lambda part: torch.from_numpy(rows[[position - first for position in row.positions[part]]])
    hidden = _hidden(teacher, row)
    return lambda part: logits_of(teacher, hidden[part])


def _compared(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[float, float]:
    theirs = theirs.to(ours.device)
    return float(full_kld(ours, theirs).sum()), float((ours.argmax(dim=-1) == theirs.argmax(dim=-1)).sum())


def _hidden(model: PreTrainedModel, row: EncodedRow) -> torch.Tensor:
    positions = torch.tensor(row.positions, device=model.device)
    return hidden_at(
        model, torch.tensor([row.input_ids], device=model.device), torch.zeros_like(positions), positions
    )


def _finite(value: float | None) -> float | None:
    """None for values that JSON cannot represent."""
    return value if value is not None and math.isfinite(value) else None
