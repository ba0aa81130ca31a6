"""The output head's product, with a float32 result whatever the format of its operands.

A loss compares a student with a teacher that it comes nearer to with every step, so its gradient is a small difference
of two probabilities. Logits rounded to bfloat16 (2^-9 of their size) drown it: at a divergence of 0.003 nats the
gradient is off by a fifth. So 16-bit operands are multiplied, their sums are kept in float32, and the gradient is
formed in float32 before anything is rounded again.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

AVX512 = "AVX512"
"""What torch calls a processor with these instructions."""
BLOCK = 16_384
"""Rows of the head that are widened to float32 at one time, where a device cannot do it inside the product."""
QUICK_BLOCK = 4_096
"""Rows of the head that oneDNN multiplies at one time: it makes its results in memory of its own."""


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


def product(
    hidden: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype, room: torch.Tensor | None = None
) -> torch.Tensor:
    """hidden [n, width] times the transposed weight [vocabulary, width], both read as ``dtype``: [n, vocabulary].

    In float32, or in float64 for that ``dtype``; no autograd. So are the two products of the backward pass below. room:
    [n, vocabulary] of the result's format on a processor, for the result; what is freed and made again for every chunk
    leaves gaps in memory.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        own = hidden.to(dtype)
        if _widens(own) and dtype.itemsize <= 2:
            return torch.mm(own, weight.to(dtype).T, out_dtype=torch.float32)
        own = own.to(torch.promote_types(dtype, torch.float32))
        made = own.new_empty(len(own), len(weight)) if room is None else room
        quick = is_quick(dtype, own.device)
        if dtype.itemsize > 2 and not quick:
            return torch.mm(own, weight.to(dtype).T, out=made)
        size = QUICK_BLOCK if quick else BLOCK
        for start in range(0, len(weight), size):
            part = weight[start : start + size].to(dtype).to(own.dtype)
            made[:, start : start + size] = _times(own, part) if quick else own @ part.T
        return made


def for_hidden(gradient: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The gradient [n, vocabulary] of the logits as that of ``hidden`` [n, width]."""
    with torch.autocast(gradient.device.type, enabled=False):
        if dtype.itemsize > 2:
            read = weight.to(dtype)
            return _times(gradient, read.T) if is_quick(dtype, gradient.device) else gradient @ read
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


def is_quick(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether products of a few dozen rows in float32 are quick: oneDNN has kernels with AVX-512 for any processor.

    Torch multiplies float32 by MKL, which has them for Intel's processors alone: on one of AMD it takes twice as long,
    or more (32 to 128 rows with SmolLM2-135M's head).
    """
    return dtype == torch.float32 and device.type == "cpu" and _has_quick_kernels()


@cache
def _has_quick_kernels() -> bool:
    has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # of torch
    return bool(has_library) and torch.backends.cpu.get_cpu_capability() == AVX512


def _times(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """one [n, k] times the transposed other [m, k]: [n, m], where that is quick."""
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(one, other, None, "none", [], "")
    return made


def _widens(tensor: torch.Tensor) -> bool:
    """Whether the device multiplies 16-bit numbers into float32 in one call of torch: CUDA from Ampere on."""
    return tensor.is_cuda and torch.cuda.get_device_capability(tensor.device) >= (8, 0)
