"""The losses of a distillation from their definitions: over all logits in float64, with torch's own gradients."""

from __future__ import annotations

from typing import Any

import torch

from zoo.training.fused import Goal, Loss


def dense(hidden: Any, weight: Any, goal: Goal, loss: Loss) -> Any:
    """The sum of the loss from its definition, over all logits in float64."""
    z = hidden.double() @ weight.double().T * loss.scale
    z = torch.tanh(z / loss.softcap) * loss.softcap if loss.softcap else z
    probabilities = (z / loss.temperature).softmax(-1)
    ids = goal.ids.long()
    top = probabilities.gather(-1, ids)
    rest = probabilities.scatter(-1, ids, 0.0).sum(-1, keepdim=True)
    q = torch.cat([top, rest], -1)
    p = torch.cat([goal.logp, goal.tail[:, None]], -1).double().exp()
    if loss.kind == "tv":
        return 0.5 * (p - q).abs().sum() * loss.temperature**2
    m = loss.beta * p + (1 - loss.beta) * q
    found = {
        "forward_kl": lambda: _kl(p, q),
        "reverse_kl": lambda: _kl(q, p),
        "skew_kl": lambda: _kl(p, m),
        "jsd": lambda: loss.beta * _kl(p, m) + (1 - loss.beta) * _kl(q, m),
    }[loss.kind]()
    return found * loss.temperature**2


def _kl(one: Any, other: Any) -> Any:
    kept = one > 0
    return (one[kept] * (one[kept] / other[kept]).log()).sum()
