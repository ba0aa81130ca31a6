"""``distill: loss:`` of a recipe: what is refused, with its line, and what two spellings of one loss are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from recipesamples import TUTORED, TUTORED_NAME, edited, line_of

from catalog import losses, schema
from catalog.checks import CheckedRecipe
from catalog.recipe import DistillLoss, plain

Check = Callable[..., CheckedRecipe]


def checked(check: Check, loss: str, more: str = "") -> tuple[CheckedRecipe, str]:
    text = edited(TUTORED, "  steps: 60", f"  steps: 60{more}\n  loss:\n{loss}")
    return check(text, TUTORED_NAME), text


def settled(check: Check, loss: str) -> DistillLoss | None:
    found, _ = checked(check, loss)
    assert found.recipe and found.recipe.distill, found.problems
    return found.recipe.distill.loss


def test_the_kinds_are_those_of_the_schema() -> None:
    loss = schema.load("recipe-v1")["$defs"]["loss"]
    assert tuple(loss["properties"]["kind"]["enum"]) == losses.KINDS


@pytest.mark.parametrize(
    ("loss", "more", "at", "what"),
    [
        ("    kind: reverse", "", "kind: reverse", '"reverse" is not one of'),
        ("    kind: jsd\n    beta: 0", "", "beta: 0", "0 is out of range"),
        ("    kind: jsd\n    beta: 1", "", "beta: 1", "1 is out of range"),
        ("    kind: jsd\n    beta: half", "", "beta: half", ""),
        ("    kind: tv\n    beta: 0.5", "", "beta: 0.5", '"tv" has no mixture of teacher and student'),
        ("    beta: 0.5", "", "beta: 0.5", '"forward_kl" has no mixture of teacher and student'),
        ("    kind: jsd", "\n  method: labels", "kind: jsd", '"jsd" compares probabilities'),
        ("    chunk_positions: 0", "", "chunk_positions: 0", "0 is out of range"),
        ("    chunks: 2", "", "chunks: 2", ""),
    ],
)
def test_a_wrong_loss_is_a_problem_of_its_line(check_text: Check, loss: str, more: str, at: str, what: str) -> None:
    found, text = checked(check_text, loss, more)
    (problem,) = found.problems
    assert problem.what.startswith(what) and problem.instead
    assert problem.line == line_of(text, at)


@pytest.mark.parametrize("loss", ["    kind: [jsd]", "    kind: {a: 1}", "    kind: 7\n    beta: 0.5"])
def test_a_kind_of_another_shape_is_one_problem(check_text: Check, loss: str) -> None:
    assert len(checked(check_text, loss)[0].problems) == 1


def test_a_loss_has_one_spelling(check_text: Check) -> None:
    assert settled(check_text, "    kind: forward_kl") is None, "the default, however it is written"
    assert settled(check_text, "    chunk_positions: 64") == DistillLoss("forward_kl", None, 64)
    assert settled(check_text, "    kind: jsd") == settled(check_text, "    kind: jsd\n    beta: 0.5")
    assert settled(check_text, "    kind: skew_kl") == DistillLoss("skew_kl", 0.1, None)
    assert settled(check_text, "    kind: tv") == DistillLoss("tv", None, None)
    found = check_text(TUTORED, TUTORED_NAME).recipe
    assert found and found.distill and "loss" not in plain(found.distill), "older records lack it"
