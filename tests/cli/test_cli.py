"""The command line: exit codes, words, JSON, and what is imported when."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from calling import REPOSITORY, Captured, as_json, broken, called, in_a_zoo, process
from calling import inside as inside
from recipesamples import REMOTE
from sitesamples import sample

from catalog import index
from catalog.recipe import plain
from zoo.cli import COMMANDS
from zoo.errors import GateRefused, InputError, MissingExtra, ZooError
from zoo.files.bundled import site_folder

HEAVY = (
    "torch",
    "transformers",
    "llama_cpp",
    "numpy",
    "rich",
    "jsonschema",
    "jinja2",
    "yaml",
    "huggingface_hub",
)


# --- Help and imports


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("chekc",)])
def test_the_front_door_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys; from zoo.__main__ import main\n"
        "try:\n    code = main(sys.argv[1:])\n"
        "except SystemExit as done:\n    code = done.code\n"
        f"print('imported', [n for n in {HEAVY!r} if n in sys.modules], code)"
    )
    done = process(*arguments, code=code)
    if arguments == ("chekc",):  # rich only prints the error
        assert done.stdout.strip() == "imported ['rich'] 2"
    else:
        assert done.stdout.strip().endswith("imported [] 0"), done


def test_help_lists_every_command(capsys: Captured) -> None:
    code, out, _ = called(capsys, "--help")
    assert code == 0
    words = out.split("Commands:")[1]
    assert [
        line.split()[0] for line in words.splitlines() if line.startswith("  ") and line[2] != " "
    ] == list(COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_its_own_help(name: str, capsys: Captured) -> None:
    code, out, err = called(capsys, name, "--help")
    assert code == 0 and out.startswith(f"Usage: zoo {name}") and not err


@pytest.mark.parametrize("group", [(), ("hub",), ("site",)])
def test_no_command_is_help(group: tuple[str, ...], capsys: Captured) -> None:
    code, out, err = called(capsys, *group)
    assert (code, out) == (2, "") and err.startswith("Usage: zoo") and "Commands:" in err


def test_every_command_has_one_line_and_an_example(capsys: Captured) -> None:
    for name, words in COMMANDS.items():
        # Next to the longest name, in a terminal of 80 columns.
        assert len(words) <= 80 - 4 - max(map(len, COMMANDS)), name
        assert f"  zoo {name}" in called(capsys, name, "--help")[1].partition("Examples:")[2], name


# --- Invalid arguments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("chekc",), "zoo: command 'chekc' was not found. Did you mean check? See: zoo --help"),
        (("zzzzzz",), "zoo: command 'zzzzzz' was not found. Available: init, new, check,"),
        (("show",), "Missing argument 'NAME'. See: zoo show --help"),
        (("show", "a", "b"), "Got unexpected extra argument (b)"),
        (("plan", "--thread", "2", "x"), "No such option"),
        (("check", "--format", "xml"), "'xml' is not one of 'human', 'json', 'github'"),
        (("--nonsense",), "No such option"),
        (("show", ""), "'' is not a model name. Write NAME or NAME@VERSION; zoo catalog lists them"),
        (("pick", "plain@", "--device", "pi-5-4gb"), "'plain@' is not a model name"),
    ],
)
@in_a_zoo
def test_usage_errors_are_2(arguments: tuple[str, ...], words: str, capsys: Captured) -> None:
    code, out, err = called(capsys, *arguments)
    assert code == 2 and not out
    assert words in err


def test_outside_of_a_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (("check",), ("plan", "x"), ("catalog",), ("show", "x")):
        code, out, err = called(capsys, *arguments)
        assert (code, out) == (2, "") and "no zoo.toml in " in err and "zoo init" in err


def test_bad_settings(zoo_folder: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        'flag --threads: threads is "two"'
        in called(capsys, "plan", "smollm2-135m-instruct", "--threads", "two")[2]
    )
    monkeypatch.setenv("ZOO_THREADS", "-3")
    code, _, err = called(capsys, "plan", "smollm2-135m-instruct")
    assert code == 2 and "environment ZOO_THREADS" in err
    monkeypatch.delenv("ZOO_THREADS")
    (zoo_folder / "zoo.toml").write_text('namespce = "x"\n', encoding="utf-8")
    code, _, err = called(capsys, "check")
    assert code == 2 and 'unknown setting "namespce". Did you mean namespace?' in err


# --- plan


def test_plan(zoo_folder: Path, capsys: Captured) -> None:
    code, data = as_json(capsys, "plan", "smollm2-135m-instruct")
    assert code == 0 and data["name"] == "smollm2-135m-instruct" and data["fetches"] == []
    assert {step["reason"] for step in data["steps"]} == {"run: not made yet"}
    assert data["costs"]["steps"] == len(data["steps"])
    code, out, err = called(capsys, "plan", "recipes/smollm2-135m-instruct.yaml")
    assert code == 0 and not err
    assert "import/student" in out and "run: not made yet" in out and "steps to run." in out
    assert not (zoo_folder / "build").exists()


def test_plan_of_a_remote_recipe_says_what_it_would_fetch(zoo_folder: Path, capsys: Captured) -> None:
    code, out, _ = called(capsys, "plan", "qwen2.5-0.5b-tutor")
    assert code == 0
    assert "Would fetch for the student: hf:Qwen/Qwen2.5-0.5B-Instruct@7ae5" in out
    assert "Would fetch for the teacher: hf:Qwen/Qwen2.5-7B-Instruct@a09a" in out
    assert "about 15.24 GB" in out
    (zoo_folder / "recipes" / "remote.yaml").write_text(REMOTE, encoding="utf-8")
    code, data = as_json(capsys, "plan", "remote")
    assert code == 0
    assert [(f["role"], f["size_bytes"]) for f in data["fetches"]] == [("student", 999_000_000)]
    assert data["costs"]["fetch_bytes"] == 999_000_000
    assert not (zoo_folder / "build").exists()


@in_a_zoo
def test_plan_of_what_is_not_there(capsys: Captured) -> None:
    code, out, err = called(capsys, "plan", "smollm2-135m-instuct")
    assert (code, out) == (2, "") and "Did you mean smollm2-135m-instruct?" in err
    code, _, err = called(capsys, "plan", "zzz")
    assert code == 2 and "Available: " in err
    for odd in ("none.yaml", "/", "..", "", "recipes/", "a\nb"):
        assert called(capsys, "plan", odd)[0] == 2, odd


def test_plan_of_a_broken_recipe_names_every_problem(zoo_folder: Path, capsys: Captured) -> None:
    broken(zoo_folder)
    for command in ("plan", "build", "release", "publish"):
        code, out, err = called(capsys, command, "plain")
        assert (code, out) == (2, "")
        assert "recipes/plain.yaml has 2 problems" in err and "recipes/plain.yaml:31:3: " in err
        assert "Nothing was made." in err
    assert not (zoo_folder / "build").exists()


def test_one_broken_recipe_stops_all_before_the_first_is_built(zoo_folder: Path, capsys: Captured) -> None:
    broken(zoo_folder)
    assert called(capsys, "release", "smollm2-135m-instruct", "plain")[0] == 2
    assert not (zoo_folder / "build").exists()


# --- new, show, catalog, publish, lock


def test_a_new_recipe_points_to_a_page_and_a_command_that_are_there(zoo_folder: Path, capsys: Captured) -> None:
    text = zoo_folder / "recipes/corpora/evaluation.en.txt"
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text("Words.\n", encoding="utf-8")
    code, out, _ = called(capsys, "new", "my-model", "--source", "file:nosuch.gguf")
    assert code == 0 and out.startswith("Started recipes/my-model.yaml.\n")
    assert out.endswith("Next: fix these, then run: zoo check recipes/my-model.yaml\n")
    comments = (zoo_folder / "recipes/my-model.yaml").read_text(encoding="utf-8").split("zoo: 1")[0]
    assert "Every key is explained in site/docs/reference/recipe.md" in comments
    # Readers of the source have the tables too.
    page = (site_folder() / "docs/reference/recipe.md").read_text(encoding="utf-8")
    assert "| `allow_fallback` | true or false |" in page and "| `licence` | text | required |" in page
    (command,) = re.findall(r"`zoo (check [^`]+)`", comments)
    assert "my-model.yaml" in command and called(capsys, *command.split())[0] == 2
    assert called(capsys, "new", "My model")[2].startswith("zoo: 'My model' is not a valid recipe name.")


def test_show_of_what_is_not_there(zoo_folder: Path, capsys: Captured) -> None:
    code, out, err = called(capsys, "show", "nosuch")
    assert (code, out) == (2, "")
    empty = "The catalog is empty. Make the first release with: zoo release NAME"
    assert err == f"zoo: the catalog has no model 'nosuch'. {empty}.\n"
    (zoo_folder / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    assert "Did you mean smollm2-tutor-57m?" in called(capsys, "show", "smollm2-tutor-57")[2]
    assert called(capsys, "show", "smollm2-tutor-57m@9.9.9")[0] == 2


def test_show_and_catalog(zoo_folder: Path, capsys: Captured) -> None:
    (zoo_folder / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    code, data = as_json(capsys, "show", "smollm2-tutor-57m")
    model = sample().models[1]
    assert code == 0 and data["releases"] == [plain(model.releases[0])]
    older = model.releases[1].version
    assert as_json(capsys, "show", f"smollm2-tutor-57m@{older}")[1]["releases"][0]["version"] == older
    code, out, _ = called(capsys, "show", "smollm2-135m-instruct")
    assert code == 0 and "Q8_0" in out and "reference" in out
    assert "known difference" not in out
    code, data = as_json(capsys, "catalog")
    assert code == 0 and data["models"] == [plain(model) for model in sample().models]
    (zoo_folder / "model_catalog.json").write_text("{", encoding="utf-8")
    for arguments in (("catalog",), ("show", "x")):
        code, _, err = called(capsys, *arguments)
        assert code == 2 and "the catalog is not valid" in err and "model_catalog.json:1:2" in err


def test_show_lists_known_differences(zoo_folder: Path, capsys: Captured) -> None:
    catalog = sample()
    sentences = ("The recipe allows a difference in the check template. Byte 3: [red]b'a'[/] and b'c'.", "NFC.")
    first = catalog.models[0]
    release = dataclasses.replace(first.releases[0], differences=sentences)
    changed = dataclasses.replace(catalog, models=(dataclasses.replace(first, releases=(release,)),))
    (zoo_folder / "model_catalog.json").write_text(index.to_text(changed), encoding="utf-8")
    code, out, _ = called(capsys, "show", first.name)
    assert code == 0 and [f"known difference: {one}" in out for one in sentences] == [True, True]
    assert as_json(capsys, "show", first.name)[1]["releases"][0]["differences"] == list(sentences)


def test_show_of_a_built_release_takes_the_newest_and_passes_over_journals(
    zoo_folder: Path, capsys: Captured
) -> None:
    model = sample().models[0]
    for version in ("1.9.0", "1.10.0"):
        release = dataclasses.replace(model.releases[0], version=version)
        folder = zoo_folder / "build" / "releases" / model.name / version
        folder.mkdir(parents=True)
        record = {
            "key": "k", "model": {k: v for k, v in plain(model).items() if k != "releases"},
            "release": {k: v for k, v in plain(release).items() if k != "location"}, "verdicts": [],
            "files": {"model": [], "dataset": []},
        }  # fmt: skip
        (folder / "release.json").write_text(json.dumps(record), encoding="utf-8")
        (folder.parent / f"{version}.journal.jsonl").touch()
        (folder.parent / f"{version}.journal.lock").touch()
    assert as_json(capsys, "show", model.name)[1]["releases"][0]["version"] == "1.10.0"
    assert as_json(capsys, "show", f"{model.name}@1.9.0")[1]["releases"][0]["version"] == "1.9.0"
    (folder / "release.json").write_text('{"model": {}, "release": {"architecture": 5}}', encoding="utf-8")
    assert called(capsys, "show", model.name)[0] == 2


def test_publish_of_what_is_not_built(zoo_folder: Path, capsys: Captured) -> None:
    code, out, err = called(capsys, "publish", "smollm2-135m-instruct")
    assert (code, out) == (1, "")
    assert "is not built" in err and "zoo build smollm2-135m-instruct" in err
    assert called(capsys, "publish", "--dry-run", "smollm2-135m-instruct")[0] == 1
    assert not (zoo_folder / "build").exists()


def test_lock_pins_a_file_of_the_zoo(zoo_folder: Path, capsys: Captured) -> None:
    from tinygguf import make_tiny_gguf

    make_tiny_gguf(zoo_folder / "m.gguf", vocabulary=300)
    text = REMOTE.replace(
        "hf:Qwen/Qwen2.5-0.5B-Instruct@7ae557604adf67be50417f59c2c2f167def9a775", "file:m.gguf"
    )
    (zoo_folder / "recipes" / "remote.yaml").write_text(text, encoding="utf-8")
    code, out, _ = called(capsys, "check", "recipes/remote.yaml")
    assert code == 2 and "the source is not pinned by a sha256" in out
    assert called(capsys, "lock", "remote")[0] == 0
    assert called(capsys, "check", "recipes/remote.yaml")[0] == 0
    lock = zoo_folder / "recipes" / "remote.lock.yaml"
    before = lock.read_bytes()
    assert called(capsys, "lock", "remote")[0] == 0 and lock.read_bytes() == before


# --- Errors


@in_a_zoo
def test_errors_with_json(capsys: Captured) -> None:
    code, out, err = called(capsys, "plan", "smollm2-135m-instuct", "--json")
    assert code == 2 and err.startswith("zoo: recipe 'smollm2-135m-instuct' was not found")
    assert json.loads(out) == {
        "error": "recipe 'smollm2-135m-instuct' was not found", "where": "", "safe": "",
        "remedy": "Did you mean smollm2-135m-instruct? Make a new one with: zoo new NAME",
    }  # fmt: skip


def test_errors_are_sentences() -> None:
    error = ZooError("it broke", where="a.yaml:3", safe="Nothing was lost", remedy="Try `zoo plan`")
    assert str(error) == "a.yaml:3: it broke. Nothing was lost. Try `zoo plan`"
    assert (ZooError("x").exit_code, InputError("x").exit_code, GateRefused("x").exit_code) == (1, 2, 3)
    assert "pip install 'model-zoo-publisher[hub]'" in str(MissingExtra("x", "hub"))


@in_a_zoo
def test_control_characters_do_not_reach_the_terminal(capsys: Captured) -> None:
    _, _, err = called(capsys, "plan", "x\x1b[2J\u202e")
    assert "\x1b" not in err and "\u202e" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_reader_that_left_and_a_full_disk_get_no_traceback(zoo_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))}
    command = f"{sys.executable} -m zoo catalog --json"
    for tail in ("| true", "> /dev/full"):
        shell = ["bash", "-c", f"{command} {tail}"]
        done = subprocess.run(
            shell, cwd=zoo_folder, env=environment, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr


IN_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_a_stream_that_is_not_utf_8_gets_what_it_can_show(zoo_folder: Path) -> None:
    (zoo_folder / "x.yaml").write_text("zoo: 1\ncl\u00e9: 2\n", encoding="utf-8")
    human = process("check", "x.yaml", cwd=zoo_folder, **IN_ASCII)
    assert human.returncode == 2 and "cl?" in human.stdout, human
    data = process("check", "x.yaml", "--json", cwd=zoo_folder, **IN_ASCII)
    assert "cl\u00e9" in str(json.loads(data.stdout)["problems"]), data


def test_closed_streams_are_no_fault(zoo_folder: Path) -> None:
    for redirect, code in ((">&-", 0), ("2>&-", 0), (">&- 2>&-", 0)):
        environment = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))}
        shell = ["bash", "-c", f"{sys.executable} -m zoo catalog {redirect}"]
        done = subprocess.run(
            shell, cwd=zoo_folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code and not done.stderr, (redirect, done)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_not_an_empty_one(zoo_folder: Path, capsys: Captured) -> None:
    recipes = zoo_folder / "recipes"
    recipes.chmod(0)
    try:
        code, _, err = called(capsys, "check")
    finally:
        recipes.chmod(0o755)
    assert code == 1 and "Permission denied" in err
