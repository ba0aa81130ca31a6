"""``label: repack:`` of a recipe: what it does not go together with."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from recipesamples import TUTORED, TUTORED_NAME, edited, line_of

from catalog.checks import CheckedRecipe
from catalog.recipe import plain

Check = Callable[..., CheckedRecipe]


def text_with(label: str) -> str:
    return re.sub(r"(?m)^label:\n(  .*\n)*", f"label:\n{label}", TUTORED, count=1)


def test_older_recipes_have_no_such_key(check_text: Check) -> None:
    older = check_text(TUTORED, TUTORED_NAME).recipe
    assert older and older.label and older.label.repack is None and "repack" not in plain(older.label)
    newer = check_text(text_with("  repack: true\n"), TUTORED_NAME).recipe
    assert newer and newer.label and plain(newer.label) == {**plain(older.label), "repack": True}


@pytest.mark.parametrize("rows", [4, 8, 64])
def test_rows_in_groups_are_accepted(check_text: Check, rows: int) -> None:
    assert not check_text(text_with(f"  repack: true\n  batch_rows: {rows}\n"), TUTORED_NAME).problems
    assert not check_text(text_with(f"  repack: false\n  batch_rows: {rows - 1}\n"), TUTORED_NAME).problems


@pytest.mark.parametrize(("rows", "near"), [(1, 4), (6, 8), (63, 64)])
def test_a_rest_of_rows_is_refused_at_its_line(check_text: Check, rows: int, near: int) -> None:
    text = text_with(f"  repack: true\n  batch_rows: {rows}\n")
    (problem,) = check_text(text, TUTORED_NAME).problems
    assert problem.line == line_of(text, "batch_rows") and f"and {rows} is not a multiple of it" in problem.what
    assert problem.instead == f"Write a multiple of 4, such as {near}"


def test_a_server_has_its_own_kernels(check_text: Check) -> None:
    head, teacher, rest = text_with("  repack: true\n").partition("\nteacher:\n")
    text = head + teacher + re.sub(r"  source: .*\n  sha256: .*", "  source: server:parrot-1b", rest, count=1)
    text = edited(text, "  steps: 60", "  steps: 60\n  method: labels")
    found = [one for one in check_text(text, TUTORED_NAME).problems if one.what == "a server chooses its own kernels"]
    assert [one.line for one in found] == [line_of(text, "repack")]


@pytest.mark.parametrize("value", ["yes please", "2", "[true]", "{}"])
def test_another_kind_of_value_is_a_problem_of_its_line(check_text: Check, value: str) -> None:
    text = text_with(f"  repack: {value}\n")
    (problem,) = check_text(text, TUTORED_NAME).problems
    assert problem.line == line_of(text, "repack")
