"""A model that computes as another engine does: inputs of matrices and of the cache are rounded.

Every matrix product of a transformers model passes through a few functions of torch. ``Rounding`` replaces them while
it is active, for any architecture: dense layers, GPT-2's transposed ones, experts, convolutions, attention. The rope's
own product of frequencies and positions is not rounded; engines also compute it in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch.overrides import TorchFunctionMode

Change = Callable[[torch.Tensor], torch.Tensor]
Function = Callable[..., object]
"""A function of torch. Not all its arguments are tensors, but those that are looked at here are."""

FIRST = {
    torch.nn.functional.linear: 0,
    torch.conv1d: 0,
    torch.nn.functional.conv1d: 0,
    torch.addmm: 1,
    torch.baddbmm: 1,
} | {
    found: 0
    for found in (getattr(torch, "_grouped_mm", None), getattr(torch.nn.functional, "grouped_mm", None))
    if found is not None
}  # fmt: skip
"""Function of torch -> place of the argument that is multiplied with weights."""


class Rounding(TorchFunctionMode):  # type: ignore[misc]  # torch is untyped here
    """While active, ``inputs`` is applied to the inputs of every weight matrix, ``cache`` to queries, keys, values
    and attention weights. Both map a float32 tensor to one of the same shape.
    """

    def __init__(self, inputs: Change, cache: Change) -> None:
        super().__init__()
        self.inputs, self.cache = inputs, cache

    def __torch_function__(
        self,
        func: Function,
        types: Collection[type],
        args: Sequence[torch.Tensor] = (),
        kwargs: Mapping[str, torch.Tensor] | None = None,
    ) -> object:
        named = dict(kwargs or {})
        if func is torch.nn.functional.scaled_dot_product_attention:
            named.pop("dropout_p", None)
            return self.attention(*args[:4], **named)
        if func is torch.bmm:
            # Experts in one product: the weights are on the left or on the right.
            return func(*(self.inputs(part) for part in args), **named)
        if func is torch.matmul and all(part.dim() == 4 for part in args):
            # Attention written out, in architectures that change its scores (Gemma 2).
            return func(*(self.cache(part) for part in args), **named)
        place = FIRST.get(func)
        if place is None:
            return func(*args, **named)
        if len(args) > place:
            args = [*args[:place], self.inputs(args[place]), *args[place + 1 :]]
        else:
            named["input"] = self.inputs(named["input"])
        return self.product(func, args, named)

    def product(
        self, func: Function, args: Sequence[torch.Tensor], named: Mapping[str, torch.Tensor]
    ) -> object:
        """The product itself, with rounded input. Override it for another engine's summation."""
        return func(*args, **named)

    def attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        """torch's own definition of ``scaled_dot_product_attention``, spelt out so that its inner steps can be rounded.

        query [..., heads, tokens, width]; key and value [..., KV heads, seen tokens, width].
        """
        if enable_gqa:
            key, value = (
                part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value)
            )
        scores = self.cache(query) @ self.cache(key).transpose(-2, -1)
        scores = scores * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            seen = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
            scores = scores.masked_fill(~seen, -math.inf)
        if attn_mask is not None:
            barred = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, -math.inf) if barred else scores + attn_mask
        return self.cache(torch.softmax(scores, -1)) @ self.cache(value)


def rounded(dtype: torch.dtype) -> Change:
    """Round to the nearest number of ``dtype``, as an engine with inputs in that type does."""
    return lambda values: values.to(dtype).to(values.dtype)


def shaken(roundings: float, seed: int) -> Change:
    """Move every number at random by up to ``roundings`` of itself: another draw of errors of the size of a rounding.

    The same seed gives the same numbers on one machine.
    """
    random = torch.Generator().manual_seed(seed)

    def change(values: torch.Tensor) -> torch.Tensor:
        noise = torch.rand(values.shape, generator=random, dtype=values.dtype)
        return values * (1 + roundings * (2 * noise - 1))

    return change
