"""How a recipe bounds the memory of a training step, in one spelling."""

from __future__ import annotations

import dataclasses

from catalog.recipe import Distill, Recipe

READ_LOGITS_BYTES = 1 << 27
"""Of the logits of a model that are in memory at one time when two models are compared: 220 positions of a vocabulary
of 152,000."""


def settled(recipe: Recipe) -> Recipe:
    """The recipe without settings that change nothing: two spellings of one training are one step, made once."""
    distill = recipe.distill
    if distill is None:
        return recipe
    together = distill.batch_rows * distill.row_tokens
    micro = None if distill.micro_tokens and distill.micro_tokens >= together else distill.micro_tokens
    again = distill.gradient_checkpointing or None
    return dataclasses.replace(
        recipe, distill=dataclasses.replace(distill, micro_tokens=micro, gradient_checkpointing=again)
    )


def most_tokens(distill: Distill) -> int:
    """Tokens that go through the student at the same time, at most."""
    together = distill.batch_rows * distill.row_tokens
    return min(together, max(distill.micro_tokens or together, distill.row_tokens))
