"""zoo new --from-issue: an issue becomes a recipe that passes zoo check, or what is missing is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.__main__ import main
from zoo.review import issue
from zoo.sources.packages import STARTER

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {
    "Name": "offered", "Source": STARTER, "Licence": "apache-2.0", "Languages": "en, fr",
    "Good at": "- Short answers\n- Names of places", "Bad at": "* Sums",
}  # fmt: skip
HOSTILE = 'x"]\nlicence: MIT\n- {a: b}\n### Name\nevil\n<img src=x> @someone \u202e\x1b[2J ${{ secrets.X }}'


def body(**changes: str | None) -> str:
    fields = {**FIELDS, **{key.replace("_", " "): value for key, value in changes.items()}}
    return "".join(f"### {label}\n\n{value}\n\n" for label, value in fields.items() if value is not None)


@pytest.fixture
def zoo(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(zoo_folder)
    return zoo_folder


def made(
    zoo: Path, text: str, capsys: pytest.CaptureFixture[str], name: str = "offered"
) -> tuple[dict[str, Any], Any]:
    (zoo / "issue.md").write_text(text, encoding="utf-8", newline="")
    capsys.readouterr()
    assert main(["new", "--from-issue", "issue.md", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    recipe = zoo / "recipes" / f"{name}.yaml"
    return answer, yaml.safe_load(recipe.read_text(encoding="utf-8"))


GOOD = {
    "as GitHub writes it": body(),
    "line ends of Windows": body().replace("\n", "\r\n"),
    "words around it": f"Hello!\n\n{body()}\n### More\n\nNothing.\n",
    "a licence by its name": body(Licence="mit"),
    "code around the source": body(Source=f"`{STARTER}`"),
    "hostile words": body(Good_at=HOSTILE, Bad_at=HOSTILE),
}


@pytest.mark.parametrize("what", GOOD)
def test_a_complete_issue_gives_a_recipe_that_passes_the_check(
    what: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, recipe = made(zoo, GOOD[what], capsys)
    assert answer["missing"] == []
    assert recipe["languages"] == ["en", "fr"] and recipe["student"]["source"] == STARTER
    assert recipe["licence"] == ("MIT" if "name" in what else "Apache-2.0")
    if what == "hostile words":
        assert "licence: MIT" in recipe["good_at"] and not list((zoo / "recipes").glob("evil*"))
        assert not set("\x1b\u202e") & set((zoo / "recipes/offered.yaml").read_text(encoding="utf-8"))
    else:
        assert recipe["good_at"] == ["Short answers", "Names of places"] and recipe["bad_at"] == ["Sums"]
    said = [one for one in answer["problems"] if "not pinned" not in one]
    assert said == [] or ("name" in what and len(said) == 1 and "the source itself says" in said[0])


INCOMPLETE: dict[str, tuple[str, list[str]]] = {
    "no answer": (body(Bad_at=issue.NOTHING), ["Bad at"]),
    "a field is not there": (body(Languages=None), ["Languages"]),
    "two are empty": (body(Licence="", Good_at="  "), ["Licence", "Good at"]),
}


@pytest.mark.parametrize("what", INCOMPLETE)
def test_what_an_issue_does_not_say_is_named(
    what: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, missing = INCOMPLETE[what]
    answer, _ = made(zoo, text, capsys)
    assert answer["missing"] == missing


REFUSED = {
    "no name": (body(Name=issue.NOTHING), "no name was given"),
    "no source": (body(Source=""), "no source was given"),
    "another text": ("Please release my model.", "is not the text of an issue"),
    "a name with a path": (body(Name="../../evil"), "is not a valid recipe name"),
    "too large": (body(Bad_at="x" * 300_000), "issue.md cannot be read (it is larger than 256 KiB)"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_issue_without_a_name_or_source_changes_nothing(
    what: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, words = REFUSED[what]
    (zoo / "issue.md").write_text(text, encoding="utf-8")
    before = sorted((zoo / "recipes").iterdir())
    assert main(["new", "--from-issue", "issue.md"]) == 2
    assert words in capsys.readouterr().err and sorted((zoo / "recipes").iterdir()) == before


def test_the_labels_are_those_of_the_form() -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/recipe.yml").read_text(encoding="utf-8"))
    assert tuple(one["attributes"]["label"] for one in form["body"] if "id" in one) == issue.LABELS
