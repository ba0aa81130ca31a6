"""What to write instead: advice that works, in the place where the value belongs, and written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recipesamples import PLAIN, TUTORED, edited

from catalog import presets, schema, yamltext
from catalog.checks import check_recipe
from catalog.problems import Problem
from zoo.__main__ import main


def problems(zoo: Path, text: str, name: str = "plain") -> list[Problem]:
    path = zoo / "recipes" / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return list(check_recipe(path, zoo).problems)


@pytest.mark.parametrize(
    ("written", "instead"),
    [("'yes'", "Write true, without quotes"), ("'No'", "Write false, without quotes"), ("1", "Write true")],
)
def test_another_word_for_true_or_false_is_answered_with_it(written: str, instead: str, zoo_folder: Path) -> None:
    text = edited(TUTORED, "label:\n", f"label:\n  repack: {written}\n")
    (problem,) = [one for one in problems(zoo_folder, text, "tutored") if one.path == "label.repack"]
    assert problem.what.endswith("is not true or false") and problem.instead == instead


RECIPE: Any = schema.load("recipe-v1")


def keys(part: Any) -> dict[str, Any]:
    """Of a section of a recipe, with its rule."""
    return dict((RECIPE["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part).get("properties", {}))


def test_a_value_of_another_type_is_answered_in_one_sentence() -> None:
    """The rest of a key's description is on the reference page."""
    seen = 0
    for section, part in RECIPE["properties"].items():
        for key, rule in keys(part).items():
            if rule.get("type") in ("boolean", "number", "integer", "string"):
                found = schema.record_problems({section: {key: [1]}}, "recipe-v1")
                said = [one.instead for one in found if one.path == f"{section}.{key}"]
                assert said and max(map(len, said)) <= 240, said
                seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("section", "count"),
    [
        ("distill:\n  preset: ampere-balanced\n", 1),
        ("distill:\n  adapter: none\n  preset: turing-safe\n", 1),
        ("distill:\n  adapter: lora\n  preset: turing-safe\n", 0),
        ("distill:\n  adapter: none\n  preset: cpu-small\n", 0),
        ("teacher:\n  tune:\n    preset: ampere-balanced\n", 0),
        ("teacher:\n  tune:\n    adapter: none\n    preset: ampere-balanced\n", 1),
    ],
)
def test_a_preset_whose_adapter_is_not_trained_is_named(section: str, count: int) -> None:
    found = list(presets.hints(yamltext.parse(section.encode(), "recipe.yaml")))
    assert len(found) == count
    assert all("for adapters on a GPU" in one.what and "`adapter: qlora`" in one.instead for one in found)


def test_the_adapter_of_a_training_that_names_none_is_that_of_the_schema() -> None:
    for place, adapter in presets.ADAPTERS.items():
        part = RECIPE
        for name in place:
            part = keys(part)[name]
        assert keys(part)["adapter"]["default"] == adapter


@pytest.mark.parametrize("number", ["0" * 64, "1" * 60 + "e123", "7" * 41])
def test_a_digest_that_yaml_reads_as_a_number_is_quoted(number: str) -> None:
    (problem,) = yamltext.parse(f"sha256: {number}\n".encode(), "x").problems
    assert problem.path == "sha256" and "put it in quotes" in problem.instead.lower()


@pytest.mark.parametrize(("text", "column"), [("a:\n\tb: 1\n", 1), ("a:\tb: c\n", 3), ("a:\n  - b\n\t- c\n", 1)])
def test_a_tab_is_named_with_what_to_write(text: str, column: int) -> None:
    (problem,) = yamltext.parse(text.encode(), "x").problems
    assert problem.what == "not valid YAML: a tab is where a space is needed" and problem.instead == "Write spaces"
    assert problem.column == column


def test_a_gate_is_not_judged_by_a_ladder_that_is_not_valid(zoo_folder: Path) -> None:
    found = problems(zoo_folder, edited(PLAIN, "[Q8_0, Q5_K_M, Q4_0]", "[q8_0]"))
    assert [one.path for one in found] == ["quantize.ladder[0]"] and "Did you mean `Q8_0`?" in found[0].instead


def test_a_file_name_that_cannot_be_a_name_is_not_advised(zoo_folder: Path) -> None:
    (problem,) = problems(zoo_folder, PLAIN, "Plain2")
    assert problem.instead == "Rename the file"
    (problem,) = problems(zoo_folder, PLAIN, "plain2")
    assert problem.instead == "Write `name: plain2`, or rename the file"


def test_a_key_of_another_section_is_sent_there(zoo_folder: Path) -> None:
    found = problems(zoo_folder, f"{PLAIN}allow_fallback: true\nseed: 3\n")
    assert [one.instead for one in found] == [
        "`allow_fallback:` belongs under `quantize:`", "`seed:` belongs under `label:` or `distill:`",
    ]  # fmt: skip
    (problem,) = problems(zoo_folder, edited(PLAIN, "student:\n", "student:\n  owners: [me]\n"))
    assert problem.instead == "`owners:` belongs at the top of the file, not under `student:`"


def test_known_keys_are_listed_once(zoo_folder: Path) -> None:
    found = problems(zoo_folder, PLAIN + "".join(f"x{number}y: 1\n" for number in range(9)))
    assert len(found) == 9 and found[0].instead.startswith("Known keys here: zoo, name, ")
    assert {one.instead for one in found[1:]} == {f"The known keys are listed for line {found[0].line}"}


def test_a_link_to_nothing_is_reported_under_its_own_name(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo_folder / "recipes" / "dangling.yaml").symlink_to("nothing")
    monkeypatch.chdir(zoo_folder)
    assert main(["check", "recipes/dangling.yaml"]) == 2
    said = capsys.readouterr().out
    assert "recipes/dangling.yaml" in said and "recipes/nothing" not in said
