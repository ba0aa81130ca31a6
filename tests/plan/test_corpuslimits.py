"""Shares that a recipe asks of its prompts, and training prompts that the model is measured on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from recipesamples import TUTORED, edited

from catalog.checks import CheckedRecipe
from zoo import flow
from zoo.errors import InputError
from zoo.judge import probes
from zoo.output import Output
from zoo.plan import corpuslimits, prepare
from zoo.settings import Settings

Check = Callable[..., CheckedRecipe]
TRAIN = "recipes/corpora/tutor/prompts.train.jsonl"
HELDOUT = "recipes/corpora/tutor/prompts.heldout.jsonl"


def asks(*lines: str) -> str:
    """The recipe with more lines in its corpus."""
    return edited(TUTORED, "corpus:\n", "corpus:\n" + "".join(f"  {line}\n" for line in lines))


def add_prompt(zoo: Path, user: str) -> None:
    path = zoo / TRAIN
    line = json.dumps({"user": user, "tags": ["lang:en"]}, ensure_ascii=False)
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")


def test_the_corpora_of_the_project_overlap_nothing(check_text: Check, zoo_folder: Path) -> None:
    assert corpuslimits.problems(check_text(TUTORED, "tutored"), zoo_folder) == []


def test_a_share_that_is_not_met_has_its_line_and_its_remedy(check_text: Check, zoo_folder: Path) -> None:
    met = "  - {share: 'language:fr', at_least: 0.4}"
    text = asks("coverage:", met, "  - {share: 'tag:lang:fr-CA', at_least: 0.5}")
    (found,) = corpuslimits.problems(check_text(text, "tutored"), zoo_folder)
    assert found.path == "corpus.coverage[1]"
    assert "at least 50 % tag:lang:fr-CA, and 108 of 240 records (45 %) have it" in found.what
    assert found.instead == "Add 24 records that have it, or give the reason under waived"
    text = asks("coverage:", "  - {share: 'language:en', at_most: 0.5}")
    (found,) = corpuslimits.problems(check_text(text, "tutored"), zoo_folder)
    assert "at most 50 % language:en" in found.what


def test_a_waived_share_is_no_problem(check_text: Check, zoo_folder: Path) -> None:
    text = asks("coverage:", "  - {share: 'language:fr', at_least: 0.9, waived: 'Few people helped with the French.'}")
    assert corpuslimits.problems(check_text(text, "tutored"), zoo_folder) == []


def test_a_group_that_does_not_exist_is_refused(check_text: Check) -> None:
    checked = check_text(asks("coverage:", "  - {share: 'colour:red', at_least: 0.9}"), "tutored")
    assert any("coverage" in problem.path for problem in checked.problems)


@pytest.mark.parametrize("where", ["heldout", "evaluation", "probe"])
def test_a_training_prompt_that_the_model_is_measured_on_is_named(
    where: str, check_text: Check, zoo_folder: Path
) -> None:
    if where == "heldout":
        line = (zoo_folder / HELDOUT).read_text(encoding="utf-8").splitlines()[1]
        copied, there = json.loads(line)["user"].replace("should", "must"), f"line 2 of {HELDOUT}"
    elif where == "evaluation":
        text = (zoo_folder / "recipes/corpora/texts/evaluation.en.txt").read_text(encoding="utf-8")
        copied, there = " ".join(["Explain:", *text.split()[40:60]]), "evaluation.en.txt"
    else:
        made = probes.make("json", 16, 0)
        copied, there = made.questions[3].prompt, "line 4 of the probe json"
    add_prompt(zoo_folder, copied)
    (found,) = corpuslimits.problems(check_text(TUTORED, "tutored"), zoo_folder)
    assert found.path == "corpus.train" and f"the first, {TRAIN}:201, " in found.what and there in found.what
    assert f"zoo corpus overlap {TRAIN} --against {HELDOUT}" in found.instead
    accepted = asks("overlap_accepted: 'The test is about one sentence that everybody knows.'")
    assert corpuslimits.problems(check_text(accepted, "tutored"), zoo_folder) == []


def test_nothing_is_made_of_a_corpus_that_overlaps(check_text: Check, zoo_folder: Path, settings: Settings) -> None:
    line = (zoo_folder / HELDOUT).read_text(encoding="utf-8").splitlines()[0]
    add_prompt(zoo_folder, json.loads(line)["user"] + " Why?")
    assert not check_text(TUTORED, "tutored").problems
    planned = prepare.make_plan("tutored", settings)
    with pytest.raises(InputError, match="what the model is measured on") as caught:
        flow.build(planned, settings, Output())
    assert caught.value.safe == "Nothing was made." and not (settings.work / "steps").exists()


def test_the_keys_of_steps_do_not_depend_on_it(check_text: Check, settings: Settings) -> None:
    keys = []
    lines = ("coverage:", "  - {share: 'language:fr', at_least: 0.4}", "overlap_accepted: 'Nothing is.'")
    for text in (TUTORED, asks(*lines)):
        check_text(text, "tutored")
        keys.append([step.key for step in prepare.make_plan("tutored", settings).plan.steps])
    assert keys[0] == keys[1]
