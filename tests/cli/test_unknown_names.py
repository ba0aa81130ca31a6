"""A name that nothing has: every command that takes one says which are known, which are near, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Captured, called
from sitesamples import sample

from catalog import index
from catalog.problems import LISTED, instead_of, similar

OF_CATALOG = (
    "pick NAME", "show NAME", "reproduce NAME", "yank NAME@1.0.0 --reason bad", "unyank NAME@1.0.0 --reason good",
    "bench history NAME", "bench import absent.json --model NAME", "bench run NAME --on ssh://pi@board --by Ada",
    "publish NAME --repair", "ui --plain history NAME", "ui --plain catalog NAME",
)  # fmt: skip
OF_ANY_CATALOG = ("pull NAME", "verify NAME", "verify NAME --on-hub")
"""The catalog may be another zoo's, so no command here lists its models."""
OF_RECIPES = (
    "plan NAME", "build NAME", "release NAME", "publish NAME", "sign NAME", "lock NAME", "card NAME", "doctor NAME",
    "ui --plain plan NAME",
)  # fmt: skip
MODELS = [model.name for model in sample().models]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "zoo.toml").write_text('namespace = "me"\n', encoding="utf-8")
    (tmp_path / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: Captured, line: str, name: str) -> str:
    code, out, err = called(capsys, *line.replace("NAME", name).split())
    assert code == 2 and not out and "Traceback" not in err and "bug in zoo" not in err, err
    assert name in err
    return err


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("line", [*OF_CATALOG, *OF_ANY_CATALOG])
def test_a_model_that_the_catalog_lacks(line: str, capsys: Captured) -> None:
    command = "All models: zoo catalog" if line in OF_CATALOG else ""
    far, near = said(capsys, line, "nope"), said(capsys, line, MODELS[1][:-1])
    assert "the catalog has no model 'nope'. " in far and f" Available: {', '.join(MODELS)}" in far and command in far
    assert f"Did you mean {MODELS[1]}?" in near and command in near
    assert "Available" not in near and "device" not in far


@pytest.mark.parametrize("line", OF_CATALOG)
def test_a_model_that_has_only_a_recipe(line: str, zoo: Path, capsys: Captured) -> None:
    (zoo / "recipes" / "nope.yaml").touch()
    words = said(capsys, line, "nope")
    assert "yank" in line or "It has a recipe, so release it first: zoo release nope" in words


@pytest.mark.parametrize("line", [*OF_CATALOG, *OF_ANY_CATALOG])
def test_a_catalog_without_models(line: str, zoo: Path, capsys: Captured) -> None:
    (zoo / "model_catalog.json").write_text(index.to_text(index.EMPTY), encoding="utf-8")
    assert "The catalog is empty. Make the first release with: zoo release NAME" in said(capsys, line, "nope")


@pytest.mark.parametrize("line", OF_RECIPES)
def test_a_recipe_that_is_not_there(line: str, zoo: Path, capsys: Captured) -> None:
    new = "Make a new one with: zoo new NAME"
    assert f"recipe 'nope' was not found. None exist yet. {new}." in said(capsys, line, "nope")
    for name in ("tutor", "tutor-large"):
        (zoo / "recipes" / f"{name}.yaml").touch()
    assert f"Available: tutor, tutor-large. {new}." in said(capsys, line, "nope")
    assert f"Did you mean tutor? {new}." in said(capsys, line, "tutr")


def test_the_gates_of_what_is_not_built(zoo: Path, capsys: Captured) -> None:
    assert "Build one with: zoo build NAME" in said(capsys, "ui --plain gates NAME", "nope")
    (zoo / "recipes" / "nope.yaml").touch()
    assert "Build it with: zoo build nope" in said(capsys, "ui --plain gates NAME", "nope")


@pytest.mark.usefixtures("zoo")
def test_a_version_that_a_model_lacks(capsys: Captured) -> None:
    words = said(capsys, "show NAME@9.9.9", MODELS[1])
    assert f"version '9.9.9' of {MODELS[1]} was not found. Available: 1.1.0, 1.0.0." in words


def test_what_is_like_a_word() -> None:
    many = [f"model-{number}" for number in range(400)]
    assert instead_of("nope", many) == f"Available: {', '.join(many[:LISTED])} and 390 more"
    assert instead_of("nope", [], "Nothing") == "Nothing"
    assert set(similar("Q4", ["Q4_0", "Q4_1", "Q8_0", "F16"])) == {"Q4_0", "Q4_1"}
    assert similar("smollm", ["smollm2-135m-instruct", "qwen"]) == ["smollm2-135m-instruct"]
    assert similar("x", ["a-long-name-with-x"]) == []
    assert instead_of("model-9", many[:100], more="See: zoo catalog").endswith("? See: zoo catalog")


@pytest.mark.parametrize(
    "words", [("pull", "x", "--catalog", "~/c.json"), ("pull", "x", "--hub", "~/hub"), ("verify", "~/x")]
)
def test_a_home_folder_that_nobody_has(words: tuple[str, ...], zoo: Path, capsys: Captured) -> None:
    assert zoo.is_dir()
    code, _, err = called(capsys, *(word.replace("~", "~no-such-user") for word in words))
    assert code == 2 and "home" in err and "Write the path out" in err
