"""What a recipe may say about the loss of a distillation, and what it means if it says less."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from catalog.jsontext import JsonObject
from catalog.problems import Problem, show
from catalog.recipe import DistillLoss, Recipe
from catalog.yamltext import Document

FORWARD_KL, REVERSE_KL, JSD, SKEW_KL, TV = "forward_kl", "reverse_kl", "jsd", "skew_kl", "tv"
KINDS = (FORWARD_KL, REVERSE_KL, JSD, SKEW_KL, TV)
"""As in the schema; their formulas are in ``zoo.training.fused``."""

BETAS = {JSD: 0.5, SKEW_KL: 0.1}
"""The kinds that compare with a mixture of teacher and student, and the teacher's usual share of it (Agarwal et al.
2024, "GKD"; Ko et al. 2024, "DistiLLM")."""


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """Contradictions of ``distill: loss:``. Tolerates any shape."""
    distill = data.get("distill")
    loss = distill.get("loss") if isinstance(distill, dict) else None
    if not isinstance(distill, dict) or not isinstance(loss, dict):
        return
    kind = loss.get("kind", FORWARD_KL)
    if not isinstance(kind, str) or kind not in KINDS:
        return
    if distill.get("method") == "labels" and kind != FORWARD_KL:
        what = f"{show(kind)} compares probabilities, but `method: labels` learns from the teacher's text only"
        yield document.problem(("distill", "loss", "kind"), what, "Delete this line, or write `method: logits`")
    if "beta" in loss and kind not in BETAS:
        what = f"{show(kind)} has no mixture of teacher and student, so beta has no effect"
        instead = f"Delete this line, or write `kind: {JSD}` or `kind: {SKEW_KL}`"
        yield document.problem(("distill", "loss", "beta"), what, instead, key=True)


def settled(recipe: Recipe) -> Recipe:
    """The recipe with one spelling of its loss: None for the default, else with beta where there is one.

    Two spellings of one training are one step, which is made once.
    """
    distill = recipe.distill
    if distill is None or distill.loss is None:
        return recipe
    loss = distill.loss
    whole = DistillLoss(loss.kind, BETAS.get(loss.kind) if loss.beta is None else loss.beta, loss.chunk_positions)
    plain = whole == DistillLoss(FORWARD_KL, None, None)
    return dataclasses.replace(recipe, distill=dataclasses.replace(distill, loss=None if plain else whole))
