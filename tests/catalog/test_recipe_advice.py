"""What to write instead: advice that works, in the place where the value belongs, and written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from recipesamples import PLAIN, edited

from catalog import yamltext
from catalog.checks import check_recipe
from catalog.problems import Problem
from zoo.__main__ import main


def problems(zoo: Path, text: str, name: str = "plain") -> list[Problem]:
    path = zoo / "recipes" / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return list(check_recipe(path, zoo).problems)


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
