"""The output head's product, with a float32 result whatever the format of its operands.

A loss compares a student with a teacher that it comes nearer to with every step, so its gradient is a small difference
of two probabilities. Logits rounded to bfloat16 (2^-9 of their size) drown it: at a divergence of 0.003 nats the
gradient is off by a fifth. So 16-bit operands are multiplied, their sums are kept in float32, and the gradient is
formed in float32 before anything is rounded again.
"""

from __future__ import annotations

from typing import Protocol

import torch

BLOCK = 16_384
"""Rows of the head that are widened to float32 at one time, where a device cannot do it inside the product."""


def logits(head: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    """float32 logits [n, vocabulary] of ``hidden`` [n, width].

    Operands have the format that the head itself would use (``operands``). A head that is not a plain linear layer
    computes its own logits.
    """
    weight = getattr(head, "weight", None)
    dtype = operands(weight if isinstance(weight, torch.Tensor) else hidden)
    if dtype == torch.float32 or type(head) is not torch.nn.Linear:
        found: torch.Tensor = head(hidden).float()
        return found
    made: torch.Tensor = _Product.apply(hidden, head.weight, dtype)  # type: ignore[no-untyped-call]  # of torch
    return made if head.bias is None else made + head.bias.float()


def operands(weight: torch.Tensor) -> torch.dtype:
    """The format in which a head with this weight is multiplied: that of autocast, or the weight's own."""
    kind = weight.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


class _Kept(Protocol):
    """What torch keeps for the backward pass of a product."""

    dtype: torch.dtype
    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[torch.Tensor, torch.Tensor]

    def save_for_backward(self, *tensors: torch.Tensor) -> None: ...


class _Product(torch.autograd.Function):
    """hidden [n, width] times weight [vocabulary, width], both read as ``dtype``, as float32 [n, vocabulary]."""

    @staticmethod
    def forward(ctx: _Kept, hidden: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        ctx.dtype = dtype
        ctx.save_for_backward(hidden, weight)
        return product(hidden, weight, dtype)

    @staticmethod
    def backward(ctx: _Kept, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        hidden, weight = ctx.saved_tensors
        wants_hidden, wants_weight, _ = ctx.needs_input_grad
        to_hidden = for_hidden(gradient, weight, ctx.dtype).to(hidden.dtype) if wants_hidden else None
        to_weight = for_weight(gradient, hidden, ctx.dtype).to(weight.dtype) if wants_weight else None
        return to_hidden, to_weight, None


def product(hidden: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """hidden [n, width] times the transposed weight [vocabulary, width], both read as ``dtype``: [n, vocabulary].

    In float32, or in float64 for that ``dtype``; no autograd. So are the two products of the backward pass below.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        own = hidden.to(dtype)
        if dtype.itemsize > 2:
            return own @ weight.to(dtype).T
        if _widens(own):
            return torch.mm(own, weight.to(dtype).T, out_dtype=torch.float32)
        own = own.float()
        made = torch.empty(len(own), len(weight), device=own.device)
        for start in range(0, len(weight), BLOCK):
            made[:, start : start + BLOCK] = own @ weight[start : start + BLOCK].to(dtype).float().T
        return made


def for_hidden(gradient: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The gradient [n, vocabulary] of the logits as that of ``hidden`` [n, width]."""
    with torch.autocast(gradient.device.type, enabled=False):
        if dtype.itemsize > 2:
            return gradient @ weight.to(dtype)
        if _widens(gradient):
            return torch.mm(gradient.to(dtype), weight.to(dtype), out_dtype=torch.float32)
        made = torch.zeros(len(gradient), weight.shape[1], device=gradient.device)
        for start in range(0, len(weight), BLOCK):
            made += gradient[:, start : start + BLOCK] @ weight[start : start + BLOCK].to(dtype).float()
        return made


def for_weight(gradient: torch.Tensor, hidden: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The gradient [n, vocabulary] of the logits as that of ``weight`` [vocabulary, width]."""
    with torch.autocast(gradient.device.type, enabled=False):
        if dtype.itemsize <= 2 and _widens(gradient):
            return torch.mm(gradient.to(dtype).T, hidden.to(dtype), out_dtype=torch.float32)
        return gradient.T @ hidden.to(dtype).to(gradient.dtype)


def add_for_weight(total: torch.Tensor, gradient: torch.Tensor, hidden: torch.Tensor, dtype: torch.dtype) -> None:
    """Add ``for_weight`` to ``total`` [vocabulary, width] in its place. A result of its own, as large as the head,
    would cost nearly as much time as the product.
    """
    with torch.autocast(gradient.device.type, enabled=False):
        if dtype.itemsize <= 2 and _widens(gradient):
            total += for_weight(gradient, hidden, dtype)
        else:
            total.addmm_(gradient.T, hidden.to(dtype).to(gradient.dtype))


def _widens(tensor: torch.Tensor) -> bool:
    """Whether the device multiplies 16-bit numbers into float32 in one call of torch: CUDA from Ampere on."""
    return tensor.is_cuda and torch.cuda.get_device_capability(tensor.device) >= (8, 0)
