"""How a recipe bounds the memory of a training step, in one spelling."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from catalog.recipe import Distill, Recipe, Tune

Trained = TypeVar("Trained", Distill, Tune)

READ_LOGITS_BYTES = 1 << 27
"""Of the logits of a model that are in memory at one time when two models are compared: 220 positions of a vocabulary
of 152,000."""


def settled(recipe: Recipe) -> Recipe:
    """The recipe without settings that change nothing: two spellings of one training are one step, made once."""
    if recipe.distill:
        recipe = dataclasses.replace(recipe, distill=_settled(recipe.distill))
    if recipe.teacher and recipe.teacher.tune:
        teacher = dataclasses.replace(recipe.teacher, tune=_settled(recipe.teacher.tune))
        recipe = dataclasses.replace(recipe, teacher=teacher)
    return recipe


def _settled(training: Trained) -> Trained:
    together = training.batch_rows * training.row_tokens
    micro = None if training.micro_tokens and training.micro_tokens >= together else training.micro_tokens
    again = training.gradient_checkpointing or None
    return dataclasses.replace(training, micro_tokens=micro, gradient_checkpointing=again)


def most_tokens(training: Distill | Tune) -> int:
    """Tokens that go through the model at the same time, at most."""
    together = training.batch_rows * training.row_tokens
    return min(together, max(training.micro_tokens or together, training.row_tokens))
