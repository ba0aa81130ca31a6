"""``micro_tokens`` and ``gradient_checkpointing`` of a recipe: what is refused, and what is one step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from recipesamples import TUTORED, TUTORED_NAME, edited, line_of

from catalog.checks import CheckedRecipe
from catalog.microbatches import most_tokens
from catalog.recipe import Distill, plain

Check = Callable[..., CheckedRecipe]


def checked(check: Check, more: str) -> tuple[CheckedRecipe, str]:
    text = edited(TUTORED, "  steps: 60", f"  steps: 60\n{more}")
    return check(text, TUTORED_NAME), text


def distilled(check: Check, more: str) -> Distill:
    found, _ = checked(check, more)
    assert found.recipe and found.recipe.distill, found.problems
    return found.recipe.distill


@pytest.mark.parametrize(
    "at",
    ["micro_tokens: 15", "micro_tokens: 0", "micro_tokens: all", "gradient_checkpointing: 1", "micro_rows: 2"],
)
def test_a_wrong_setting_is_a_problem_of_its_line(check_text: Check, at: str) -> None:
    found, text = checked(check_text, f"  {at}")
    (problem,) = found.problems
    assert problem.line == line_of(text, at) and problem.what and problem.instead


def test_settings_that_change_nothing_are_one_step(check_text: Check) -> None:
    usual = distilled(check_text, "")
    whole = usual.batch_rows * usual.row_tokens
    assert "micro_tokens" not in plain(usual) and "gradient_checkpointing" not in plain(usual)
    for more in (f"  micro_tokens: {whole}", f"  micro_tokens: {whole + 1}", "  gradient_checkpointing: false"):
        assert distilled(check_text, more) == usual
    assert distilled(check_text, f"  micro_tokens: {whole - 1}").micro_tokens == whole - 1
    assert distilled(check_text, "  gradient_checkpointing: true").gradient_checkpointing is True


def test_a_conversation_is_never_divided(check_text: Check) -> None:
    usual = distilled(check_text, "")
    assert most_tokens(usual) == usual.batch_rows * usual.row_tokens
    assert most_tokens(distilled(check_text, "  micro_tokens: 16")) == usual.row_tokens
