"""The output head and a loss against a teacher's top tokens in one, without the logits of all positions.

With z = h W' / T the student's logits, q = softmax(z), and the k top tokens of the teacher and the rest (tail) as k + 1
buckets, every loss here is a function of the buckets' probabilities p (teacher) and q (student):

    forward_kl  KL(p || q)                           the usual distillation
    reverse_kl  KL(q || p)                           seeks the teacher's modes (Gu et al. 2024, "MiniLLM")
    jsd         b KL(p || m) + (1 - b) KL(q || m)    generalized Jensen-Shannon (Agarwal et al. 2024, "GKD")
    skew_kl     KL(p || m)                           (Ko et al. 2024, "DistiLLM")
    tv          1/2 sum |p - q|                      total variation

with m = b p + (1 - b) q, each times T squared, which keeps the size of the gradient when T changes (Hinton, Vinyals and
Dean 2015, section 2). k = 1 with p = 1 is the cross-entropy of a label.

One backward pass serves all of them. With w = q dL/dq over the buckets, the gradient in a bucket's ln q before the
softmax is c = w - q sum(w); the tail's is shared among its tokens as they share its probability. So a chunk of
positions is multiplied, compared and differentiated in one pass, the gradients of hidden and weight are kept, and the
backward pass only scales them: there are never more logits than those of one chunk, and no product is done twice.
A frozen head costs two products instead of three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch.autograd.function import once_differentiable

from catalog.losses import BETAS, FORWARD_KL, KINDS, REVERSE_KL, SKEW_KL, TV
from zoo.training.head import add_for_weight, for_hidden, is_quick, operands, product

CHUNK = 128
"""Positions at a time on a processor, and at least on a GPU: 25 MB of logits for a vocabulary of 49,152."""
QUICK_CHUNK = 32
"""The same where products of so few are quick: 6 MB."""
CHUNK_LOGITS = 2**26
"""Logits at a time on a GPU, whose products want many positions: 256 MB."""


@dataclass(frozen=True)
class Loss:
    """kind: one of ``catalog.losses.KINDS``. beta: the teacher's share b of a mixture, between 0 and 1.

    softcap: logits are c tanh(z / c) of the product z (Gemma), before the temperature; None for the product itself.
    scale: what the product is multiplied by before that (Granite).
    """

    kind: str = FORWARD_KL
    beta: float = 0.5
    temperature: float = 1.0
    softcap: float | None = None
    scale: float = 1.0


class Goal(NamedTuple):
    """The teacher at n positions: ids [n, k] integers, logp [n, k] and tail [n] (-inf for nothing), in nats."""

    ids: torch.Tensor
    logp: torch.Tensor
    tail: torch.Tensor


def sparse_loss(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    goal: Goal,
    loss: Loss,
    *,
    denominator: float,
    chunk: int | None = None,
) -> torch.Tensor:
    """The sum of a loss over n positions, in nats, divided by ``denominator``: one number.

    hidden [n, width], weight [vocabulary, width], multiplied as ``zoo.training.head`` does it; sums are in float32, or
    in float64 for operands of that format. The gradient can be taken once. Raises ValueError for an unknown kind, a
    temperature that is not positive, or a beta that is not between 0 and 1. chunk: positions at a time, by default what
    suits the device.
    """
    if loss.kind not in KINDS:
        raise ValueError(f"there is no loss {loss.kind!r}, only {', '.join(KINDS)}")
    if loss.kind in BETAS and not 0 < loss.beta < 1:
        raise ValueError(f"beta is {loss.beta}, but must be between 0 and 1")
    if not loss.temperature > 0:
        raise ValueError(f"temperature is {loss.temperature}, but must be positive")
    dtype = operands(weight)
    how = _How(loss, denominator, dtype, chunk or _chunk(weight, dtype))
    made: torch.Tensor = _Sparse.apply(hidden, weight, goal, how)  # type: ignore[no-untyped-call]  # of torch
    return made


def _chunk(weight: torch.Tensor, dtype: torch.dtype) -> int:
    if weight.is_cuda:
        return max(CHUNK, CHUNK_LOGITS // len(weight))
    return QUICK_CHUNK if is_quick(dtype, weight.device) else CHUNK


@dataclass(frozen=True)
class _How:
    loss: Loss
    denominator: float
    dtype: torch.dtype
    chunk: int

    @property
    def lift(self) -> float:
        """What gradients in logits, which are 1 at most, are multiplied by for the products. float16 would lose the
        small ones, and this is a power of two: it rounds nothing."""
        return 2.0**15 if self.dtype == torch.float16 else 1.0


class _Kept(Protocol):
    """What torch keeps for the backward pass: the gradients of hidden and weight, their formats, and the factor that
    both still need."""

    made: tuple[torch.Tensor | None, torch.Tensor | None, torch.dtype, torch.dtype] | None
    needs_input_grad: tuple[bool, ...]
    scale: float


class _Sparse(torch.autograd.Function):
    """Gradients are kept of the plain sum; the backward pass brings in what divides and multiplies it."""

    @staticmethod
    def forward(ctx: _Kept, hidden: torch.Tensor, weight: torch.Tensor, goal: Goal, how: _How) -> torch.Tensor:
        wants_hidden, wants_weight, *_ = ctx.needs_input_grad
        exact = torch.promote_types(how.dtype, torch.float32)
        to_hidden = torch.empty_like(hidden, dtype=exact) if wants_hidden else None
        to_weight = torch.zeros_like(weight, dtype=exact) if wants_weight else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        most = min(how.chunk, len(hidden))
        room = hidden.new_empty(most, len(weight), dtype=exact) if hidden.device.type == "cpu" else None
        for start in range(0, len(hidden), how.chunk):
            own = hidden[start : start + how.chunk]
            part = Goal(*(one[start : start + how.chunk] for one in goal))
            logits = product(own, weight, how.dtype, None if room is None else room[: len(own)])
            value, gradient = _compared(logits, part, how, wanted=wants_hidden or wants_weight)
            total += value
            if to_hidden is not None:
                to_hidden[start : start + how.chunk] = for_hidden(gradient, weight, how.dtype)
            if to_weight is not None:
                add_for_weight(to_weight, gradient, own, how.dtype)
            # Otherwise they would be in memory together with the next ones.
            del logits, gradient
        ctx.made = to_hidden, to_weight, hidden.dtype, weight.dtype
        ctx.scale = how.loss.temperature / how.denominator / how.lift
        return (total * (how.loss.temperature**2 / how.denominator)).to(exact)

    @staticmethod
    @once_differentiable
    def backward(ctx: _Kept, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        if ctx.made is None:
            raise RuntimeError("the gradient of this loss has already been taken")
        to_hidden, to_weight, of_hidden, of_weight = ctx.made
        # Without this reference the optimizer may use the head's gradient as it is, which is as large as the head.
        ctx.made = None
        scale = gradient * ctx.scale
        return (
            None if to_hidden is None else to_hidden.mul_(scale).to(of_hidden),
            None if to_weight is None else to_weight.mul_(scale).to(of_weight),
            None,
            None,
        )


def _compared(logits: torch.Tensor, goal: Goal, how: _How, *, wanted: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the loss over a chunk, and its gradient [n, vocabulary] in the logits, in their place."""
    loss, cap, scale = how.loss, how.loss.softcap, how.loss.scale
    logits = logits if scale == 1.0 else logits.mul_(scale)
    bent = torch.tanh(logits / cap) if cap else None
    z = bent * cap if bent is not None and cap else logits
    z = z if loss.temperature == 1.0 else z.div_(loss.temperature)
    ids = goal.ids.long()
    q, share = _buckets(z, ids)
    p = torch.cat([goal.logp, goal.tail[:, None]], dim=-1).to(q.dtype)
    value, slope = _loss_and_slope(loss, p, q)
    if wanted:
        centred = (slope - q.exp() * slope.sum(dim=-1, keepdim=True)) * how.lift
        share.mul_(centred[:, -1:]).scatter_(-1, ids, centred[:, :-1])
        if bent is not None:
            share.mul_(1 - bent.square_())
        if scale != 1.0:
            share.mul_(scale)
    return value.sum(dtype=torch.float64), share


def _buckets(z: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """ln q of the k + 1 buckets [n, k + 1], and every token's share of the tail [n, vocabulary], in the place of ``z``.

    The tail is summed from its own tokens, relative to the largest of them: as 1 minus the top, or relative to the
    largest of all, a small one would be lost to rounding. A tail without tokens is -inf, and its shares are 0.
    """
    top = z.gather(-1, ids)
    share = z.scatter_(-1, ids, float("-inf"))
    largest = share.amax(dim=-1, keepdim=True).clamp_(min=torch.finfo(z.dtype).min)
    size = share.sub_(largest).exp_().sum(dim=-1, keepdim=True)
    share.div_(size.clamp(min=torch.finfo(z.dtype).tiny))
    unscaled = torch.cat([top, size.log() + largest], dim=-1)
    return unscaled.log_softmax(dim=-1), share


def _loss_and_slope(loss: Loss, p: torch.Tensor, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss [n], and q times its derivative in q [n, k + 1], of the buckets' log-probabilities p and q.

    What has probability 0 adds nothing. A reverse divergence is infinite where the teacher alone has it.
    """
    teacher, student = p.exp(), q.exp()
    if loss.kind == TV:
        difference = student - teacher
        return 0.5 * difference.abs().sum(dim=-1), 0.5 * student * difference.sign()
    if loss.kind == FORWARD_KL:
        return _divergence(teacher, p, q).sum(dim=-1), -teacher
    if loss.kind == REVERSE_KL:
        value = _divergence(student, q, p)
        return value.sum(dim=-1), value + student
    own, other = math.log(loss.beta), math.log1p(-loss.beta)
    mixed = torch.logaddexp(p + own, q + other)
    value = _divergence(teacher, p, mixed)
    if loss.kind == SKEW_KL:
        return value.sum(dim=-1), -_where(student, (p + q + other - mixed).exp())
    # What comes through the mixture cancels: b p/m (1 - b) + (1 - b) q/m (1 - b) is the 1 - b of the product rule.
    student_value = (1 - loss.beta) * _divergence(student, q, mixed)
    return (loss.beta * value + student_value).sum(dim=-1), student_value


def _divergence(weight: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """weight (one - other) elementwise, 0 where the weight is 0 (0 times infinity is NaN)."""
    return _where(weight, weight * (one - other))


def _where(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.where(weight == 0, torch.zeros_like(value), value)
