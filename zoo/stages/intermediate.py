"""What the layers of a model keep for the gradient, per token. Estimates. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

FLOAT_BYTES = 4
OF_WIDTH, OF_INNER, OF_KEYS = 12, 5, 4
"""Numbers that a layer keeps per token, for each of its width, its inner width, and its keys of one position. Counted
with transformers' Llama, Qwen2 and Gemma 3: at most one part in a hundred more than this, at least two thirds of it."""

USUAL_COUNT, USUAL_INNER = 24, 8 / 3
"""Of a model whose shape is not known: layers, and inner widths for each width, as most small models have them."""


@dataclass(frozen=True)
class Layers:
    """The shape of the layers. inner: width between the two halves of the feed-forward part; keys: width of the keys of
    one position."""

    count: int
    width: int
    inner: int
    keys: int

    def token_bytes(self, kept: float = 1.0, *, again: bool = False) -> float:
        """Per token. kept: the share of the layers that is left; again: layers are computed again for the gradient, so
        that only their inputs are kept, and one layer at a time."""
        whole = OF_WIDTH * self.width + OF_INNER * self.inner + OF_KEYS * self.keys
        count = self.count * kept
        return FLOAT_BYTES * (count * self.width + whole if again else count * whole)


def guessed(weights: int) -> Layers:
    """The layers of a model with so many weights, as if all of them were in layers."""
    # Four matrices of width by width, and three of width by inner width.
    width = math.isqrt(round(weights / USUAL_COUNT / (4 + 3 * USUAL_INNER)))
    return Layers(USUAL_COUNT, width, round(USUAL_INNER * width), width)
