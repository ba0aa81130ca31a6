"""Losses per position, in float32.

With p the teacher and q the student, both softmax(logits / T), top the teacher's k largest tokens and the
rest gathered in one bucket (tail):

    KL = sum over i in top of p_i (ln p_i - ln q_i)  +  p_tail (ln p_tail - ln q_tail)

Gathering tokens is a function of the token, so by the data-processing inequality (Cover and Thomas, Elements
of Information Theory, 2nd ed., 2.8) this is a lower bound of the KL over the complete vocabulary; they are equal
when k is the vocabulary. It is multiplied by T squared, which keeps the size of the gradient when T changes
(Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", section 2).
"""

from __future__ import annotations

import torch


def topk_kld(
    student_logits: torch.Tensor,
    top_ids: torch.Tensor,
    top_logp: torch.Tensor,
    tail_logp: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """T^2 KL(teacher || student) per position [n], in nats.

    student_logits [n, vocabulary]; top_ids [n, k] integers; top_logp [n, k] and tail_logp [n]: the teacher's
    log-probabilities at ``temperature``. A teacher's probability of 0 (-inf) adds nothing.
    """
    scaled = student_logits.float() / temperature
    total = scaled.logsumexp(dim=-1)
    ids = top_ids.long()
    top = _weighted(top_logp.float(), scaled.gather(-1, ids) - total[:, None]).sum(dim=-1)
    if ids.shape[-1] == scaled.shape[-1]:
        return top * temperature**2
    rest = scaled.scatter(-1, ids, float("-inf")).logsumexp(dim=-1)
    return (top + _weighted(tail_logp.float(), rest - total)) * temperature**2


def label_cross_entropy(student_logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """-ln q(label) per position [n], in nats; student_logits [n, vocabulary], labels [n]."""
    return torch.nn.functional.cross_entropy(student_logits.float(), labels.long(), reduction="none")


def full_kld(student_logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """KL(teacher || student) over the complete vocabulary per position [n], in nats; sums in float64.

    Heads of one family may be padded to different widths (Qwen2.5: 151,936 and 152,064 for one tokenizer); both are
    shortened to the smaller one, beyond which there are no tokens.
    """
    width = min(student_logits.shape[-1], teacher_logits.shape[-1])
    student_logits, teacher_logits = student_logits[..., :width], teacher_logits[..., :width]
    teacher = teacher_logits.float().log_softmax(dim=-1)
    student = student_logits.float().log_softmax(dim=-1)
    return _weighted(teacher, student).sum(dim=-1, dtype=torch.float64)


def _weighted(teacher_logp: torch.Tensor, student_logp: torch.Tensor) -> torch.Tensor:
    """p (ln p - ln q) elementwise, 0 where p is 0 (0 times infinity is NaN)."""
    nothing = torch.isneginf(teacher_logp)
    safe = teacher_logp.masked_fill(nothing, 0.0)
    return torch.where(nothing, torch.zeros_like(safe), safe.exp() * (safe - student_logp))
