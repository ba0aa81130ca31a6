"""``zoo ui --plain``: every view of a real zoo, as text and as JSON, without a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import viewsamples
from sitesamples import sample

from catalog import index
from zoo.__main__ import main
from zoo.runs.writer import Recorder
from zoo.views.table import VIEWS

MEMORIES = ("catalog-checked", "catalog-outline", "sources-read.json")
"""Of what was checked before."""
Captured = pytest.CaptureFixture[str]
NAME = "smollm2-135m-instruct"


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(viewsamples.make_zoo(tmp_path))
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WORDS = {
    "runs": "died before its first step", "run": "killed", "log": "zoo release plain", "plan": "steps to run",
    "gates": "MISSED", "publication": "Nothing is visible yet; stopping is safe", "history": "3 runs",
    "catalog": "smollm2-tutor-57m", "machine": "free of", "drift": "no run of zoo watch", "yanks": "No version",
    "coverage": "NOT MET", "recipe": "recipes/plain.yaml", "form": "reproduce",
}  # fmt: skip


@pytest.mark.parametrize("view", list(VIEWS))
def test_every_view_shows_a_real_zoo_and_changes_nothing(view: str, zoo: Path, capsys: Captured) -> None:
    names = {"plan": "plain", "gates": released(zoo), "history": NAME, "coverage": "tutored"}
    words = ["ui", "--plain", "--columns", "100", view, *([names[view]] if view in names else [])]
    before = files(zoo)
    capsys.readouterr()
    assert main(words) == 0
    plain = capsys.readouterr().out
    assert WORDS[view] in plain
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    # What is free changes in between.
    both = ("\n".join(told["lines"]), plain.rstrip("\n"))
    shown, printed = (re.sub(r"[0-9.]+ .?B free", "", words) for words in both)
    assert shown == printed
    assert told["view"] == view and told["title"] == plain.splitlines()[0]
    assert {path: raw for path, raw in files(zoo).items() if Path(path).name not in MEMORIES} == before


def released(zoo: Path) -> str:
    """The name of the built release."""
    (record,) = zoo.rglob("release.json")
    return record.parent.parent.name


def test_a_model_and_a_board_of_the_catalog(zoo: Path, capsys: Captured) -> None:
    assert main(["ui", "--plain", "catalog", NAME, "--device", "pi-zero-2"]) == 0
    assert "For Raspberry Pi Zero 2" in capsys.readouterr().out
    assert main(["ui", "--plain", "catalog", "--device", "pi-zero-9"]) == 2
    assert "pi-zero-2" in capsys.readouterr().err
    assert (zoo / "model_catalog.json").read_text(encoding="utf-8") == index.to_text(sample())


@pytest.mark.parametrize(
    ("words", "says"),
    [(["plan"], "zoo ui plan RECIPE"), (["yanks", "x"], "takes no name"), (["gates", "nobody"], "Available: tutor"),
     (["nothing"], "catalog"), (["run", "nobody"], "zoo runs"), (["history", "nobody"], "smollm2")],
)  # fmt: skip
def test_a_wrong_name_says_what_to_write(zoo: Path, words: list[str], says: str, capsys: Captured) -> None:
    assert main(["ui", "--plain", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "bug in zoo" not in said and zoo.is_dir()


def test_a_run_that_works_is_shown_as_running_and_says_that_stopping_is_safe(zoo: Path, capsys: Captured) -> None:
    recorder = Recorder("zoo release", ("release", "plain"))
    recorder.place(zoo / "build/work")
    recorder._open()
    recorder.stamp({"event": "step_begin", "step": "distill", "key": "0" * 64, "reason": "run: not made yet"})
    assert main(["ui", "--plain", "run"]) == 0
    said = capsys.readouterr().out
    assert "running at step distill" in said and "Stopping it is safe" in said
    recorder.end(0)
    assert main(["ui", "--plain", "run"]) == 0
    said = capsys.readouterr().out
    assert "finished" in said and "Stopping it is safe" not in said


def test_a_form_is_printed_with_the_command_line_that_it_is(zoo: Path, capsys: Captured) -> None:
    assert main(["ui", "--plain", "--json", "form", "--", "publish", "plain", "--hub", "my hub"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "$ zoo publish plain --hub 'my hub'" in told["lines"]
    assert told["commands"] == ["zoo publish plain --hub 'my hub' --dry-run", "zoo publish plain --hub 'my hub'"]
    for words, says in ((["nothing"], "did you mean|Available"), (["bench", "x"], "no command x"), (["'"], "quotes")):
        assert main(["ui", "--plain", "form", *words]) == 2
        assert re.search(says, capsys.readouterr().err)
    assert main(["ui", "--plain", "form", "bench"]) == 0
    assert "bench history" in capsys.readouterr().out and zoo.is_dir()


def test_what_a_coverage_says_is_what_the_check_says(zoo: Path, capsys: Captured) -> None:
    assert main(["check", "recipes/tutored.yaml"]) == 2
    refused = " ".join(capsys.readouterr().out.split())
    assert main(["ui", "--plain", "coverage", "tutored", "--columns", "1000"]) == 0
    shown = capsys.readouterr().out
    what = re.search("NOT MET: (.+)\\.", shown)
    fix = re.search("Fix: (.+)\\.", shown)
    assert what and fix and what[1] in refused and fix[1] in refused
    assert main(["corpus", "describe", str(zoo / "recipes/corpora/tutor"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for label, count in told["language"].items():
        assert re.search(rf"language +{label} +{count:,} ", shown)
