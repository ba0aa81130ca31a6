"""The words of a file's header: from the recipe, and from what was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from recipesamples import PLAIN
from tinygguf import make_tiny_gguf

from catalog.checks import CheckedRecipe
from catalog.recipe import Recipe, build
from zoo.errors import Damaged
from zoo.gguf import wording
from zoo.gguf.facts import Budget, FileFacts, Quantized, header_facts
from zoo.release.words import header_words
from zoo.upkeep.reproduce.rebuild import refuse_other_measured

QUANTIZED = Quantized("Q4_K_M", 4.567, [], None)


@pytest.fixture
def recipe(check_text: Callable[..., CheckedRecipe]) -> Recipe:
    recipe = check_text(PLAIN).recipe
    assert recipe
    return recipe


@pytest.fixture
def facts(tmp_path: Path) -> FileFacts:
    make_tiny_gguf(tmp_path / "a.gguf")
    found: FileFacts = build(FileFacts, {**header_facts(tmp_path / "a.gguf"), "quantize": None})
    return found


@pytest.mark.parametrize(
    ("quantized", "said"),
    [
        (None, "{summary}"),
        (QUANTIZED, "{summary} Q4_K_M: 4.57 bits per weight."),
        (
            dataclasses.replace(QUANTIZED, fallbacks=[{}, {}], overridden={"a": "Q8_0"}),
            "{summary} Q4_K_M: 4.57 bits per weight; 2 of {tensors} tensors have another type than the name says; "
            "1 tensors have a type of the recipe's choice.",
        ),
        (
            dataclasses.replace(QUANTIZED, budget=Budget(92_000_000)),
            "{summary} Types chosen per tensor by measured loss within 92,000,000 bytes.",
        ),
    ],
)
def test_the_description_names_what_was_made(
    quantized: Quantized | None, said: str, recipe: Recipe, facts: FileFacts
) -> None:
    words = header_words(recipe, dataclasses.replace(facts, quantize=quantized))
    assert words["general.description"] == said.format(summary=recipe.summary, tensors=facts.tensors)
    assert set(words) <= set(wording.KEYS)


def test_every_word_of_the_recipe_is_in_the_header(recipe: Recipe, facts: FileFacts) -> None:
    words = header_words(recipe, facts)
    assert words["general.version"] == recipe.version and words["general.license"] == recipe.licence
    assert words["general.languages"] == list(recipe.languages)
    student = dataclasses.replace(recipe.student, upstream="org/base")
    words = header_words(dataclasses.replace(recipe, student=student), facts)
    assert words["general.base_model.0.repo_url"] == "https://huggingface.co/org/base"
    assert set(words) == set(wording.KEYS)
    without = dataclasses.replace(recipe, student=dataclasses.replace(student, upstream=None))
    assert not [key for key in header_words(without, facts) if "base_model" in key]


def test_a_rebuilt_file_must_be_the_measured_one(tmp_path: Path) -> None:
    from sitesamples import sample

    file = sample().models[0].releases[0].files[0]
    make_tiny_gguf(tmp_path / "a.gguf")
    digest = wording.unworded_sha256(tmp_path / "a.gguf")
    for right in (None, digest):
        refuse_other_measured(dataclasses.replace(file, measured_sha256=right), tmp_path / "a.gguf")
    with pytest.raises(Damaged, match=r"is not the file that was measured") as refused:
        refuse_other_measured(dataclasses.replace(file, measured_sha256="0" * 64), tmp_path / "a.gguf")
    assert digest in refused.value.what and "zoo yank" in refused.value.remedy
