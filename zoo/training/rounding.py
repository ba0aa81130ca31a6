"""A model that computes as another engine does: inputs of matrices and of the cache are rounded.

Every matrix product of a transformers model passes through a few functions of torch. ``Rounding`` replaces them while
it is active, for any architecture: dense layers, GPT-2's transposed ones, experts, convolutions, attention. The rope's
own product of frequencies and positions is not rounded; engines also compute it in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.overrides import TorchFunctionMode

from catalog.jsonvalues import number

Change = Callable[[torch.Tensor], torch.Tensor]
Function = Callable[..., object]
"""A function of torch. Not all its arguments are tensors, but those used here are."""

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


@dataclass(frozen=True)
class Attention:
    """The arguments of ``scaled_dot_product_attention``, without dropout.

    query [..., heads, tokens, width]; key and value [..., KV heads, seen tokens, width].
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None = None
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False

    @classmethod
    def of(cls, args: Sequence[object], named: Mapping[str, object]) -> Attention:
        """From the arguments of a call."""
        given = {**dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)), **named}
        query, key, value = (_tensor(given[name]) for name in ("query", "key", "value"))
        mask, scale = given.get("attn_mask"), given.get("scale")
        return cls(
            query,
            key,
            value,
            None if mask is None else _tensor(mask),
            bool(given.get("is_causal")),
            None if scale is None else number(scale),
            bool(given.get("enable_gqa")),
        )


class Rounding(TorchFunctionMode):
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
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        named, call = dict(kwargs or {}), func
        if func is torch.nn.functional.scaled_dot_product_attention:
            return self.attention(Attention.of(args, named))
        if func is torch.bmm:
            # Experts in one product: the weights are on the left or on the right.
            return call(*(self.inputs(_tensor(part)) for part in args), **named)
        if func is torch.matmul and all(_tensor(part).dim() == 4 for part in args):
            # Attention written out, in architectures that change its scores (Gemma 2).
            return call(*(self.cache(_tensor(part)) for part in args), **named)
        place = FIRST.get(func)
        if place is None:
            return func(*args, **named)
        if len(args) > place:
            args = [*args[:place], self.inputs(_tensor(args[place])), *args[place + 1 :]]
        else:
            named["input"] = self.inputs(_tensor(named["input"]))
        return self.product(func, args, named)

    def product(self, func: Function, args: Sequence[object], named: Mapping[str, object]) -> object:
        """The product itself, with rounded input. Override it for another engine's summation."""
        return func(*args, **named)

    def attention(self, asked: Attention) -> torch.Tensor:
        """torch's own definition of ``scaled_dot_product_attention``, spelt out so that inner steps can be rounded."""
        query, key, value, mask = asked.query, asked.key, asked.value, asked.mask
        if asked.enable_gqa:
            key, value = (
                part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value)
            )
        scores = self.cache(query) @ self.cache(key).transpose(-2, -1)
        scores = scores * (1 / math.sqrt(query.shape[-1]) if asked.scale is None else asked.scale)
        if asked.is_causal:
            seen = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
            scores = scores.masked_fill(~seen, -math.inf)
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
        return self.cache(torch.softmax(scores, -1)) @ self.cache(value)


def _tensor(value: object) -> torch.Tensor:
    """An argument that torch takes no other kind of value for."""
    assert isinstance(value, torch.Tensor)
    return value


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
