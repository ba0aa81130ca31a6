"""What a teacher answers at a position: its most probable tokens, and how probable all others are together."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Targets:
    """The teacher at n positions: ids [n, k] int32, logp [n, k] and tail_logp [n] float32, in nats."""

    ids: torch.Tensor
    logp: torch.Tensor
    tail_logp: torch.Tensor

    def __len__(self) -> int:
        """Positions."""
        return len(self.tail_logp)

    def part(self, start: int, end: int) -> Targets:
        """The positions from ``start`` to before ``end``."""
        return Targets(self.ids[start:end], self.logp[start:end], self.tail_logp[start:end])


def joined(parts: list[Targets]) -> Targets:
    """The positions of all parts, one part after the other."""
    columns = zip(*((part.ids, part.logp, part.tail_logp) for part in parts), strict=True)
    return Targets(*(torch.cat(column) for column in columns))


def top_of(logits: torch.Tensor, top_k: int, temperature: float) -> dict[str, torch.Tensor]:
    """top_ids [n, k] int32, top_logp [n, k] and tail_logp [n] float32 of logits [n, vocabulary].

    The tail is summed from the tokens in it, not as 1 minus the top, which would lose a small tail to
    rounding. A tail of no tokens is -inf.
    """
    logp = (logits.float() / temperature).log_softmax(dim=-1)
    top = logp.topk(min(top_k, logp.shape[-1]), dim=-1)
    tail = logp.scatter(-1, top.indices, float("-inf")).logsumexp(dim=-1)
    return {"top_ids": top.indices.to(torch.int32), "top_logp": top.values, "tail_logp": tail}
