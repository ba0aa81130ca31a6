"""zoo check: what it says of recipes, other files and folders, in every form."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from calling import Captured, as_json, broken, called, in_a_zoo
from calling import inside as inside

from catalog import device as devices
from zoo.errors import ZooError


@in_a_zoo
def test_check_of_a_valid_zoo(capsys: Captured) -> None:
    code, out, err = called(capsys, "check")
    # A busy machine takes long enough for a line about the progress.
    assert code == 0 and all(line.startswith("  checking: ") for line in err.splitlines())
    assert out.endswith(" files checked, no problems.\n")
    code, data = as_json(capsys, "check")
    assert code == 0 and data["problems"] == []
    assert "recipes/smollm2-tutor-57m.yaml" in data["checked"]
    assert "recipes/corpora/tutor/prompts.train.jsonl" in data["checked"]


def test_check_with_nothing_to_check_is_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    (tmp_path / "zoo.toml").touch()
    monkeypatch.chdir(tmp_path)
    code, out, err = called(capsys, "check")
    assert (code, out) == (1, "") and "there is nothing to check here" in err and "zoo new NAME" in err
    (tmp_path / "empty").mkdir()
    assert called(capsys, "check", "empty")[0] == 1


def test_the_file_of_a_device_is_checked_as_one(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "catalog/devices"
    folder.mkdir(parents=True)
    (tmp_path / "zoo.toml").touch()
    data = json.loads((devices.FOLDER / "pi-5-4gb.json").read_text(encoding="utf-8"))
    for name, more in (("pi-5-4gb", {}), ("other", {}), ("bad", {"memory_bytes": -1})):
        (folder / f"{name}.json").write_text(json.dumps(data | more), encoding="utf-8")
    (folder / "torn.json").write_text("{", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, out, err = called(capsys, "check", "catalog/devices/pi-5-4gb.json")
    assert (code, out) == (0, "1 file checked, no problems.\n"), err
    for name, words in (
        ("other", "Name the file pi-5-4gb.json"), ("bad", "memory_bytes: "), ("torn", "not valid JSON"),
    ):  # fmt: skip
        code, out, _ = called(capsys, "check", f"catalog/devices/{name}.json")
        assert code == 2 and words in out and "models" not in out


def test_check_formats(zoo_folder: Path, capsys: Captured) -> None:
    path = str(broken(zoo_folder))
    code, out, err = called(capsys, "check", path)
    assert code == 2 and err == "1 file checked, 2 problems.\n"
    assert [line.split(": ")[:2] for line in out.splitlines()] == [
        ["recipes/plain.yaml:7:7", "task"], ["recipes/plain.yaml:31:3", "evaluate.window"]
    ]  # fmt: skip
    code, out, _ = called(capsys, "check", "--format", "github", path)
    first, second = out.splitlines()
    assert code == 2
    assert first.startswith("::error file=recipes/plain.yaml,line=7,col=7::task: ")
    assert second.startswith("::error file=recipes/plain.yaml,line=31,col=3::evaluate.window: ")
    for arguments in (("--json",), ("--format", "json")):
        code, out, _ = called(capsys, "check", path, *arguments)
        data = json.loads(out)
        assert code == 2 and [(p["line"], p["column"], p["path"]) for p in data["problems"]] == [
            (7, 7, "task"), (31, 3, "evaluate.window")
        ]  # fmt: skip
        assert data["problems"][0]["instead"].startswith("Did you mean `chat`?")


@in_a_zoo
def test_check_github_is_silent_when_all_is_well(capsys: Captured) -> None:
    code, out, err = called(capsys, "check", "--format", "github")
    # A busy machine takes long enough for a line about the progress.
    assert (code, out) == (0, "") and all(line.startswith("  checking: ") for line in err.splitlines())


@pytest.mark.parametrize("count", [1, 10, 11, 60, 300])
def test_check_github_says_everything_in_the_summary(
    count: int, zoo_folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe with so many unknown keys; GitHub shows ten errors, and of one file sixty problems are listed."""
    monkeypatch.chdir(zoo_folder)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(zoo_folder / "summary.md"))
    text = (zoo_folder / "recipes/smollm2-135m-instruct.yaml").read_text(encoding="utf-8")
    keys = "".join(f"unknown-{number}: 1\n" for number in range(count))
    (zoo_folder / "recipes/smollm2-135m-instruct.yaml").write_text(text + keys, encoding="utf-8")
    code, out, _ = called(capsys, "check", "--format", "github")
    shown = [line for line in out.splitlines() if line.startswith("::error ")]
    listed, more = min(count, 60), count > 60
    summary = (zoo_folder / "summary.md").read_text(encoding="utf-8")
    assert code == 2 and len(shown) == min(count, 10) and len(summary.encode()) < 1 << 20
    assert all(f'unknown key "unknown-{number}"' in summary for number in range(listed))
    assert "zoo check\n" in summary and ("only 60 problems of this file are listed" in summary) == more
    assert count <= 10 or f"{listed + more - 10} more problem" in shown[9]


@pytest.mark.usefixtures("in_time")
def test_check_of_other_files(zoo_folder: Path, capsys: Captured) -> None:
    (zoo_folder / "p.jsonl").write_text('{"user": "a"}\n{"usr": "b"}\n', encoding="utf-8")
    (zoo_folder / "c.json").write_text('{"schema": "model-catalog/1", "models": [}', encoding="utf-8")
    (zoo_folder / "README.md").write_text("# no front matter\n", encoding="utf-8")
    (zoo_folder / "l.json").write_bytes(b"{}\n\xff")
    os.mkfifo(zoo_folder / "pipe.json")
    with (zoo_folder / "huge.jsonl").open("wb") as stream:
        stream.truncate(600_000_000)
    names = ["p.jsonl", "c.json", "README.md", "l.json", "pipe.json", "huge.jsonl", "none.json"]
    code, data = as_json(capsys, "check", *names)
    assert code == 2
    whats = {p["file"]: (p["line"], p["what"]) for p in data["problems"]}
    assert whats["p.jsonl"][0] == 2
    assert whats["c.json"] == (1, "not valid JSON: Expecting value")
    assert whats["README.md"][1] == "the card has no front matter"
    assert whats["l.json"] == (2, "not UTF-8 text")
    assert whats["pipe.json"][1] == "the file is not a regular file"
    assert whats["huge.jsonl"][1] == "the file is larger than 256 MiB"
    assert whats["none.json"][1] == "the file does not exist"
    code, out, _ = called(capsys, "check", "zoo.toml", "recipes")
    assert code == 2 and "this is not a recipe, prompt file, card or catalog" in out


def test_check_of_two_recipes_with_one_repository(zoo_folder: Path, capsys: Captured) -> None:
    recipes = zoo_folder / "recipes"
    text = (recipes / "smollm2-tutor-57m.yaml").read_text(encoding="utf-8")
    copied = text.replace("name: smollm2-tutor-57m\n", "name: copied\n").replace("57m-gguf", "57M-gguf")
    (recipes / "copied.yaml").write_text(copied, encoding="utf-8")
    for arguments, files in (
        ((), ("recipes/smollm2-tutor-57m.yaml", "recipes/copied.yaml")),
        (("recipes/copied.yaml",), ("recipes/copied.yaml",)),
    ):
        code, data = as_json(capsys, "check", *arguments)
        assert code == 2
        told = {(p["file"], p["path"]): p for p in data["problems"]}
        assert set(told) == {(file, f"publish.{kind}") for file in files for kind in ("model", "dataset")}
        one = told["recipes/copied.yaml", "publish.model"]
        assert one["what"] == '"smollm2-tutor-57M-gguf" is also the model repository of recipes/smollm2-tutor-57m.yaml'
        assert copied.splitlines()[one["line"] - 1].strip().startswith("model: smollm2-tutor")
    # A broken neighbour is no reason to stop, and a model's own copy elsewhere is not another model.
    (recipes / "copied.yaml").write_text("publish: [", encoding="utf-8")
    (zoo_folder / "elsewhere").mkdir()
    (zoo_folder / "elsewhere" / "smollm2-tutor-57m.yaml").write_text(text, encoding="utf-8")
    assert called(capsys, "check", "recipes/smollm2-tutor-57m.yaml")[0] == 0
    assert called(capsys, "check", "elsewhere/smollm2-tutor-57m.yaml")[0] == 0


@in_a_zoo
def test_check_of_a_folder_and_of_odd_names(capsys: Captured) -> None:
    code, data = as_json(capsys, "check", "recipes")
    recipes = {path.name for path in Path("recipes").glob("*.yaml")}
    assert code == 0 and {Path(name).name for name in data["checked"]} == recipes and len(recipes) >= 4
    code, data = as_json(capsys, "check", "smollm2-135m-instruct")
    assert code == 0 and data["checked"] == ["recipes/smollm2-135m-instruct.yaml"], "a name, as other commands take it"
    code, data = as_json(capsys, "check", "/", "nothing", "\udcff.yaml")
    assert code in (1, 2)


@in_a_zoo
def test_a_mirror_is_not_a_move(capsys: Captured) -> None:
    code, _, err = called(capsys, "publish", "smollm2-135m-instruct", "--mirror", "--move")
    assert code == 2 and "cannot be used together" in err


FORGED = "x\n::error title=owned::fine\n25 files checked, 0 problems.\n##[warning]y\n.yaml"
"""The name of a file, as a pull request may have it."""


@pytest.mark.parametrize("options", [(), ("--format", "github"), ("--json",), ("--log", "json")])
@pytest.mark.parametrize("exists", [True, False])
def test_a_file_name_forges_no_line(
    zoo_folder: Path, capsys: Captured, options: tuple[str, ...], exists: bool
) -> None:
    if exists:
        (zoo_folder / "recipes" / FORGED).write_text("task: x\n", encoding="utf-8")
    code, out, err = called(capsys, "check", f"recipes/{FORGED}", *options)
    lines = [line.strip() for line in (out + err).splitlines()]
    assert code == 2 and not any(line.startswith(("::error title", "25 files", "##[")) for line in lines)
    assert "\\n::error title" not in out or "--json" in options
    assert any("u000a" in line for line in lines) and not any("##[" in line for line in lines)


@in_a_zoo
def test_an_error_that_names_a_file_gives_ci_no_command(capsys: Captured) -> None:
    code, _, err = called(capsys, "hub", "serve", "no\n  ::error title=owned::fine\n##[error]x")
    assert code == 2 and "\n  \\u003a:error" in err and "\n\\u0023#[error]" in err
    assert ZooError("x", where="a\nb").where == "a\\u000ab"


@pytest.mark.parametrize("count", [1, 10, 11, 300])
def test_check_writes_everything_into_the_summary(
    count: int, zoo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    text = (zoo_folder / "recipes/smollm2-135m-instruct.yaml").read_text(encoding="utf-8")
    extra = "".join(f"unknown_{at}: 1\n" for at in range(count))
    (zoo_folder / "recipes/bad.yaml").write_text(
        text.replace("name: smollm2-135m-instruct", "name: bad") + extra, encoding="utf-8"
    )
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, out, _ = called(capsys, "check", "--format", "github", "recipes/bad.yaml")
    shown = [line for line in out.splitlines() if line.startswith("::error")]
    written = summary.read_text(encoding="utf-8")
    assert code == 2 and 1 <= len(shown) <= 10 and "zoo check recipes/bad.yaml" in written
    listed = set(re.findall(r"unknown_\d+", written))
    assert len(listed) == min(count, 60) and listed <= set(re.findall(r"unknown_\d+", out))
    assert (count > 60) == ("and it has more" in written)


def test_a_summary_that_cannot_be_written_is_a_warning(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(zoo_folder))
    code, _, err = called(capsys, "check", "--format", "github")
    assert code == 0 and "the job summary cannot be written" in err


def test_a_recipe_with_another_ending_is_named(zoo_folder: Path, capsys: Captured) -> None:
    recipes = zoo_folder / "recipes"
    (recipes / "smollm2-tutor-57m.yaml").rename(recipes / "smollm2-tutor-57m.yml")
    code, data = as_json(capsys, "check", "recipes/smollm2-tutor-57m.yml")
    assert code == 2 and data["problems"][0]["instead"] == "Rename it to smollm2-tutor-57m.yaml"
    code, _, said = called(capsys, "plan", "smollm2-tutor-57m")
    assert code == 2 and "Rename it: mv recipes/smollm2-tutor-57m.yml recipes/smollm2-tutor-57m.yaml" in said
    # Elsewhere a file may have either ending.
    (recipes / "smollm2-tutor-57m.yml").rename(zoo_folder / "smollm2-tutor-57m.yml")
    assert called(capsys, "check", "smollm2-tutor-57m.yml")[0] == 0
