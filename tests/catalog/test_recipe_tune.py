"""``teacher: tune:`` of a recipe: what is refused, with its line, and when a trained teacher would teach nobody."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from recipesamples import TUTORED, TUTORED_NAME, edited, line_of

from catalog import presets
from catalog.checks import CheckedRecipe
from catalog.recipe import plain
from zoo.training.adapters import PRESETS

Check = Callable[..., CheckedRecipe]
PLACE = "  parameters: 134515008\n\ncorpus"


def text_with(tune: str) -> str:
    return edited(TUTORED, PLACE, f"  parameters: 134515008\n  tune:{tune}\n\ncorpus")


def test_what_is_not_said_is_the_default_and_older_recipes_have_no_such_key(check_text: Check) -> None:
    recipe = check_text(text_with("\n    steps: 7"), TUTORED_NAME).recipe
    assert recipe and recipe.tune and recipe.distill
    assert (recipe.tune.steps, recipe.tune.adapter, recipe.tune.learning_rate) == (7, "lora", 1e-4)
    older = check_text(TUTORED, TUTORED_NAME).recipe
    assert older and older.tune is None and older.teacher and "tune" not in plain(older.teacher)
    # Two spellings of one training.
    more = "\n    steps: 7\n    micro_tokens: 9999\n    gradient_checkpointing: false"
    wide = check_text(text_with(more), TUTORED_NAME)
    assert wide.recipe and wide.recipe.tune == recipe.tune


@pytest.mark.parametrize(
    ("tune", "at", "what"),
    [
        ("\n    stesp: 3", "stesp: 3", 'unknown key "stesp"'),
        ("\n    method: logits", "method: logits", 'unknown key "method"'),
        ("\n    steps: 0", "steps: 0", "0 is out of range"),
        ("\n    steps: many", "steps: many", ""),
        ("\n    adapter: full", "adapter: full", '"full" is not one of'),
        ("\n    preset: small", "preset: small", '"small" is not one of'),
        (" yes", "tune: yes", ""),
        ("\n    - steps: 3", "- steps: 3", ""),
    ],
)
def test_a_wrong_block_is_a_problem_of_its_line(check_text: Check, tune: str, at: str, what: str) -> None:
    text = text_with(tune)
    (problem,) = check_text(text, TUTORED_NAME).problems
    assert problem.what.startswith(what) and problem.instead
    assert problem.line in (line_of(text, at), line_of(text, at) - 1)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("  steps: 60", "  steps: 60\n  method: labels", "the trained teacher is not used: with `method: labels`"),
        ("distill:\n  steps: 60\n\n", "", "the trained teacher is not used: no student learns"),
        (None, "server:parrot-1b", "a teacher on a server cannot be trained"),
    ],
)
def test_a_trained_teacher_teaches_somebody(check_text: Check, old: str | None, new: str, what: str) -> None:
    text = text_with("\n    steps: 5")
    if old is None:
        head, teacher, rest = text.partition("\nteacher:\n")
        text = head + teacher + re.sub(r"  source: .*\n  sha256: .*", f"  source: {new}", rest, count=1)
    else:
        text = edited(text, old, new)
    found = [one for one in check_text(text, TUTORED_NAME).problems if one.what.startswith(what)]
    assert [one.line for one in found] == [line_of(text, "  tune:")] and found[0].instead.startswith("Delete this")


def test_the_hint_at_a_better_preset_is_given_here_too(check_text: Check) -> None:
    text = text_with("\n    adapter: qlora\n    preset: ada-memory")
    checked = check_text(text, TUTORED_NAME)
    assert [one.line for one in presets.hints(checked.document)] == [line_of(text, "preset: ada-memory")]


@pytest.mark.parametrize("preset", [None, *PRESETS])
def test_qlora_needs_a_preset_with_4_bits(check_text: Check, preset: str | None) -> None:
    """Of a student and of a teacher; without a preset it is the one of processors."""
    more = f"\n{{0}}preset: {preset}" if preset else ""
    for text, line in (
        (text_with("\n    adapter: qlora" + more.format("    ")), "    preset:" if preset else "    adapter:"),
        (
            edited(TUTORED, "  steps: 60", "  steps: 60\n  adapter: qlora" + more.format("  ")),
            "  preset:" if preset else "  adapter:",
        ),
    ):
        found = check_text(text, TUTORED_NAME).problems
        assert [one.line for one in found] == ([] if preset in presets.FOUR_BIT else [line_of(text, line)])
        assert all(one.what.startswith("qlora trains on weights in 4 bits") for one in found)


def test_the_presets_are_those_of_the_training() -> None:
    assert {name for name, preset in PRESETS.items() if preset.quantization} == set(presets.FOUR_BIT)
    assert presets.DEFAULT in PRESETS
