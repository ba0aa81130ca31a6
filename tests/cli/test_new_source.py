"""What ``zoo new`` takes from the source, and what it reports for one that a release would refuse."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tinyzoo
import yaml
from tinygguf import make_tiny_gguf
from tinymodel import make_tiny_llama

from catalog import placeholders
from catalog.checks import check_recipe
from zoo import settings
from zoo.__main__ import main
from zoo.forms.profiles import PROFILES
from zoo.plan import prepare, problems
from zoo.progress import Silent


@pytest.fixture()
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    (made / "models").mkdir(exist_ok=True)
    (made / "recipes/own.txt").write_text("Some words to measure on. " * 40, encoding="utf-8")
    monkeypatch.chdir(made)
    return made


def begun(zoo: Path, capsys: pytest.CaptureFixture[str], *more: str, source: str = "models/mine") -> tuple[Any, str]:
    """The recipe and the output."""
    code = main(["new", "mine", "--source", f"file:{source}", *more])
    said = "".join(capsys.readouterr())
    assert code == 0, said
    return yaml.safe_load((zoo / "recipes/mine.yaml").read_text(encoding="utf-8")), said


def with_card(folder: Path, licence: str) -> Path:
    (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n# Mine\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("stated", "ours"),
    [("mit", "MIT"), ("llama3.2", "LicenseRef-Llama-3.2"), ("gemma", "LicenseRef-Gemma"), ("apache-2.0", "Apache-2.0"),
     ("other", "LicenseRef-other")],
)  # fmt: skip
def test_the_licence_is_what_the_card_of_the_folder_says(
    stated: str, ours: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_card(make_tiny_llama(zoo / "models/mine"), stated)
    recipe, said = begun(zoo, capsys)
    assert recipe["licence"] == recipe["student"]["licence"] == ours
    assert "the source itself says" not in said


@pytest.mark.parametrize(("name", "words"), [
    ("xx.lock", "is that of a lock file"), ("con", "cannot be stored by Windows"), ("lpt1.model", "cannot be stored"),
])  # fmt: skip
def test_a_name_that_cannot_be_stored(name: str, words: str, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", name]) == 2
    assert words in capsys.readouterr().err and not list((zoo / "recipes").glob(f"{name}*"))
    path = zoo / f"recipes/{name}.yaml"
    path.write_text(f"name: {name}\n", encoding="utf-8")
    assert any(one.path == "name" and words in one.what for one in check_recipe(path, zoo).problems)


def test_a_licence_that_is_given_counts(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_card(make_tiny_llama(zoo / "models/mine"), "mit")
    recipe, _ = begun(zoo, capsys, "--licence", "Apache-2.0")
    main(["check", "recipes/mine.yaml"])
    said = capsys.readouterr().out
    assert recipe["licence"] == "Apache-2.0" and 'the source itself says "mit"' in said


def test_a_source_that_says_nothing_or_is_not_here(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A licence is not guessed: the placeholder is refused, with its line, until somebody writes the licence."""
    recipe, said = begun(zoo, capsys, source="models/none")
    assert (recipe["licence"], recipe["task"]) == (placeholders.LICENCE, "chat") and "does not exist" in said
    (zoo / "recipes/mine.yaml").unlink()
    make_tiny_gguf(zoo / "models/m.gguf", vocabulary=300)
    recipe, said = begun(zoo, capsys, source="models/m.gguf")
    assert recipe["licence"] == recipe["student"]["licence"] == placeholders.LICENCE and recipe["student"]["sha256"]
    assert main(["check", "recipes/mine.yaml"]) == 2
    for answer in (said, capsys.readouterr().out):
        assert "student.licence: this is placeholder text" in answer
        assert re.search(r"recipes/mine.yaml:\d+:\d+: licence: this is placeholder text", answer)
    path = zoo / "recipes/mine.yaml"
    path.write_text(path.read_text("utf-8").replace(placeholders.LICENCE, "MIT"), "utf-8")
    assert main(["check", "recipes/mine.yaml"]) == 0


def test_a_base_model_begins_as_a_completion_model(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_tiny_llama(zoo / "models/mine")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer_config.json"
    said = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "chat_template"}
    path.write_text(json.dumps(said), encoding="utf-8")
    recipe, words = begun(zoo, capsys)
    assert recipe["task"] == "completion" and "chat template" not in words


def test_a_source_that_the_import_refuses_is_named_immediately(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its pin would be the digest of what has to change, so no recipe is written. Later the same command works."""
    folder = make_tiny_llama(zoo / "models/mine")
    weights = folder / "model.safetensors"
    weights.rename(zoo / "away")
    assert main(["new", "mine", "--source", "file:models/mine"]) == 1
    said = capsys.readouterr().err
    assert "models/mine: This folder has no .safetensors file" in said and "No recipe was written." in said
    assert not os.path.lexists(zoo / "recipes/mine.yaml")
    (zoo / "away").rename(weights)
    assert begun(zoo, capsys)[0]["student"]["sha256"]


def test_a_chat_template_that_cannot_be_rendered_is_named_immediately(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_tiny_llama(zoo / "models/mine")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}", encoding="utf-8")
    assert main(["new", "mine", "--source", "file:models/mine"]) == 1
    said = capsys.readouterr().err
    assert "template" in said and "No recipe was written." in said
    assert not os.path.lexists(zoo / "recipes/mine.yaml")


def test_an_absolute_path_inside_the_zoo_is_written_from_its_folder(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tiny_llama(zoo / "models/mine")
    for given in (f"{zoo}/models/mine", f"file:{zoo}/models/mine", f"../{zoo.name}/models/mine"):
        assert main(["new", "mine", "--source", given]) == 2
        assert "Write file:models/mine." in capsys.readouterr().err
    assert not os.path.lexists(zoo / "recipes/mine.yaml")


def test_a_path_outside_the_zoo_gets_the_command_that_copies_it(
    zoo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = zoo.parent / "home"
    monkeypatch.setenv("HOME", str(home))
    home.mkdir()
    make_tiny_gguf(home / "mine x.gguf", vocabulary=300)
    there = home / "mine x.gguf"
    for number, given in enumerate((str(there), f"file:{there}", "../home/mine x.gguf", "file:../home/mine x.gguf",
                                    "models/../../home/mine x.gguf", "~/mine x.gguf")):  # fmt: skip
        assert main(["new", "mine", "--source", given]) == 2
        said = capsys.readouterr().err
        (command,) = re.findall(r"Copy it with: (mkdir -p models && cp -rL .*); then write file:models/mine x", said)
        subprocess.run(["bash", "-c", command], cwd=zoo, check=True)
        (zoo / "models/mine x.gguf").rename(zoo / f"models/{number}.gguf")


def test_check_names_a_refused_source_with_other_problems(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not after they are fixed."""
    folder = make_tiny_llama(zoo / "models/mine")
    begun(zoo, capsys)
    (folder / "model.safetensors").unlink()
    path = zoo / "recipes/mine.yaml"
    path.write_text(path.read_text("utf-8").replace("version: 0.1.0", "version: one"), "utf-8")
    assert main(["check", "recipes/mine.yaml"]) == 2
    said = capsys.readouterr().out
    assert "version" in said and "has no .safetensors file" in said


@pytest.mark.parametrize("source", ["pipe", "link", "loop"])
def test_a_source_that_must_not_be_read_is_not(source: str, zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_tiny_llama(zoo.parent / "elsewhere")
    (folder / "model.safetensors").unlink()
    os.mkfifo(zoo / "models/pipe")
    (zoo / "models/link").symlink_to(folder)
    (zoo / "models/loop").symlink_to("loop")
    path = zoo / "recipes/mine.yaml"
    path.write_text(f"zoo: 1\nname: mine\nstudent:\n  source: file:models/{source}\n", "utf-8")
    assert main(["check", "recipes/mine.yaml"]) == 2
    assert "safetensors" not in "".join(capsys.readouterr())


class Warned(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


def test_what_a_new_recipe_does_not_say_yet_is_named_until_it_is_written(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tiny_llama(zoo / "models/mine")
    begun(zoo, capsys, "--licence", "Apache-2.0")
    path = zoo / "recipes/mine.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.startswith("summary:"))
    assert main(["check", "recipes/mine.yaml"]) == 0
    place = f"recipes/mine.yaml:{line}:10: summary: this is placeholder text"
    assert f"hint: {place}" in capsys.readouterr().err
    warned = Warned()
    prepare.announce(prepare.make_plan("mine", settings.load(zoo, {}, {})), warned)
    assert [text for text in warned.texts if text.startswith(place)]
    lines[line - 1] = "summary: A tiny model."
    path.write_text("\n".join(lines), encoding="utf-8")
    assert main(["check", "recipes/mine.yaml"]) == 0
    (hint,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("hint")]
    assert "bad_at: the recipe names nothing that the model is bad at" in hint
    path.write_text("\n".join(lines).replace("bad_at: []", "bad_at: [facts]"), encoding="utf-8")
    assert main(["check", "recipes/mine.yaml"]) == 0 and "hint" not in capsys.readouterr().err


@pytest.mark.parametrize("profile", list(PROFILES))
def test_a_profile_is_a_sound_recipe_once_its_sources_are_pinned(
    profile: str, zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(Path(__file__).parents[2] / "recipes/corpora", zoo / "recipes/corpora", dirs_exist_ok=True)
    assert main(["new", "mine", "--profile", profile]) == 0
    path = zoo / "recipes/mine.yaml"
    lines = capsys.readouterr().out.splitlines()
    assert sum("no revision is given" in line for line in lines) == 2 and len(lines) == 4
    pinned = re.sub(r"(source: hf:\S+)", rf"\1@{'0' * 40}", path.read_text(encoding="utf-8"))
    path.write_text(pinned, encoding="utf-8")
    checked = check_recipe(path, zoo)
    assert not checked.problems and checked.recipe
    assert not problems.every(checked, settings.load(zoo, {}, {})), "with the prompts of the starters"
    assert checked.recipe.distill and checked.recipe.publish.dataset == "mine-prompts"
    for more in ("--source", "--from-issue"):
        assert main(["new", "other", "--profile", profile, more, "x"]) == 2
        assert more in capsys.readouterr().err
