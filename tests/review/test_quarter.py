"""zoo notes: the notes of a quarter, from the catalog, git and the last watch; the same text twice."""

from __future__ import annotations

import dataclasses
import datetime
import os
import subprocess
from pathlib import Path

import benchruns
import pytest
from fences import outside
from sitesamples import sample

from catalog import index
from catalog.release import YankEvent
from zoo.__main__ import main
from zoo.review import quarter

HOSTILE = "Add <img src=x> @someone ``` ![a](https://x.example)"


@pytest.fixture
def zoo(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with two commits in two quarters, releases, and a withdrawn version."""
    monkeypatch.chdir(zoo_folder)
    catalog = sample()
    first = catalog.models[0]
    event = YankEvent(first.releases[0].version, "2026-11-02", "yank", "It never stops.", "high", None)
    models = (dataclasses.replace(first, yanks=(event,)), *catalog.models[1:])
    text = index.to_text(dataclasses.replace(catalog, models=models))
    (zoo_folder / "model_catalog.json").write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", "-b", "main"], check=True)
    commit("2026-09-30T23:59:59Z", "An old recipe", "Old Author")
    (zoo_folder / "recipes/corpora/README.md").write_text("changed", encoding="utf-8")
    commit("2026-10-01T00:00:00Z", HOSTILE, "New Author")
    return zoo_folder


def commit(date: str, subject: str, author: str) -> None:
    names = {"GIT_AUTHOR_NAME": author, "GIT_COMMITTER_NAME": author}
    mails = {"GIT_AUTHOR_EMAIL": "a@localhost", "GIT_COMMITTER_EMAIL": "a@localhost"}
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(
        ["git", "commit", "-q", "-m", subject], check=True, env={**os.environ, **names, **mails, **dates}
    )


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["notes", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("zoo")
def test_the_notes_name_what_happened_in_the_quarter_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "2026-Q4", "--out", str(tmp_path / "notes.md"))
    assert text == said(capsys, "2026-Q4") == (tmp_path / "notes.md").read_text(encoding="utf-8")
    assert f"New Author: {HOSTILE} (recipes/corpora/README.md)" in text and "Old Author" not in text
    assert "2026-11-02 yank" in text and "It never stops." in text
    dates = {one.date for model in sample().models for one in model.releases}
    assert all((date in text) == ("2026-10-01" <= date < "2027-01-01") for date in dates - {"2026-11-02"})
    fence = "````text"
    assert text.count(fence) == 1 and HOSTILE in text.partition(fence)[2].partition("\n````\n")[0]


def test_the_notes_name_what_was_measured(zoo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty days of 2026 at 10 tokens/s, then ten at 8: the alarm began with the second of these."""
    speeds = [*[10.0 + day % 3 / 100 for day in range(30)], *[8.0] * 10]
    reports = [benchruns.report(day, speed) for day, speed in enumerate(speeds)]
    reports.append(benchruns.report(100, 8.0, valid=False))
    assert main(["bench", "import", *benchruns.written(zoo, *reports)]) == 0
    capsys.readouterr()
    text = said(capsys, "2026-Q1")
    assert f"{benchruns.NAME} {benchruns.TYPE} on " in text and ": 40 runs; decode 10" in text
    assert "slower: decode is 20 % slower than usual since 2026-02-01" in text.replace("20%", "20 %")
    assert text == said(capsys, "2026-Q1")
    later = said(capsys, "2026-Q2")
    assert "1 run, 1 of them not valid" in later and "slower" not in later
    words = ["--by", HOSTILE, "--reason", HOSTILE]
    assert main(["bench", "ack", benchruns.NAME, *words]) == 0
    capsys.readouterr()
    assert "a slower decode" in (noted := said(capsys, "2026-Q4")) and HOSTILE not in outside(noted)


@pytest.mark.usefixtures("zoo")
def test_an_empty_quarter_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "1999-Q1")
    assert text.startswith("# Notes for 1999-Q1\n") and text.count("Nothing.") == 4
    assert "No watch of this quarter is recorded." in text


def test_without_git_the_changes_are_left_out(zoo_folder: Path, capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(zoo_folder)
    (zoo_folder / "model_catalog.json").write_text(index.to_text(index.EMPTY), encoding="utf-8")
    assert main(["notes", "2026-Q4"]) == 0 and "changes are left out" in capsys.readouterr().err


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("word", ["2026", "2026-Q5", "2026-Q0", "q4", "0000-Q1", "9999-Q4", "2026-Q4 "])
def test_what_is_not_a_quarter_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notes", word]) == 2 and "zoo notes 2026-Q4" in capsys.readouterr().err


def test_quarters_begin_and_end_with_their_months() -> None:
    last = quarter.Quarter(2026, 4)
    assert (last.first, last.after) == ("2026-10-01", "2027-01-01") and last.has("2026-12-31T23:59:59Z")
    assert not last.has("2027-01-01") and not last.has("2026-09-30")
    assert str(quarter.before(datetime.date(2027, 1, 1))) == "2026-Q4"
    assert str(quarter.before(datetime.date(2026, 12, 31))) == "2026-Q3"
