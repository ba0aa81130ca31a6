"""``zoo bench``: imports, alarms, acknowledgements, and the same figures in every form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchruns
import pytest

from catalog import history as formats
from zoo.__main__ import main

NAME = benchruns.NAME
STEADY = [40.0, 40.4, 39.6, 40, 40.2, 39.8, 40, 40.4, 39.6, 40]
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(benchruns.zoo(tmp_path))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["bench", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err and "bug in zoo" not in said.err
        return code, said.out, said.err

    return run


def imported(call: Call, *speeds: float, start: int = 0, **more: Any) -> None:
    reports = [benchruns.report(start + day, speed, **more) for day, speed in enumerate(speeds)]
    code, _, err = call("import", *benchruns.written(Path("reports"), *reports))
    assert code == 0, err


def test_an_alarm_is_named_accepted_and_recorded(call: Call) -> None:
    imported(call, *STEADY)
    assert call("history", NAME, "--check")[0] == 0
    imported(call, 34, start=20)
    code, out, _ = call("history", NAME, "--check")
    assert code == 0 and "The newest run has a lower decode speed than usual. Measure again" in out
    imported(call, 34, start=21)
    code, out, _ = call("history", NAME, "--check")
    assert code == 3 and "ALARM: decode is 15 % slower than usual since 2026-01-22" in out.replace("15%", "15 %")
    code, out, _ = call("ack", NAME, "--by", "Ada", "--reason", "The new kernel is safer.")
    assert code == 0 and "Accepted: decode" in out
    code, out, _ = call("history", NAME, "--check")
    assert code == 0 and "by Ada" in out and "The new kernel is safer." in out and "ALARM" not in out
    code, _, err = call("ack", NAME, "--by", "Ada", "--reason", "Again.")
    assert code == 2 and "has no alarm" in err


def test_another_device_file_or_llama_cpp_is_a_break_and_never_an_alarm(call: Call) -> None:
    imported(call, *STEADY)
    imported(call, 20, 20, 20, start=20, llama="0.6.0")
    imported(call, 20, 20, 20, start=30, llama="0.6.0", kernel="6.12")
    code, out, _ = call("history", NAME, "--check")
    assert code == 0 and "not comparable with the runs before: llama.cpp 0.5.0 to 0.6.0" in out
    assert "kernel 6.6 to 6.12" in out and "ALARM" not in out


def test_runs_that_are_not_valid_are_marked_and_raise_no_alarm(call: Call) -> None:
    imported(call, *STEADY)
    imported(call, 20, 20, 20, start=20, valid=False)
    code, out, _ = call("history", NAME, "--check")
    assert code == 0 and out.count("NOT VALID: other processes used 31%") == 3 and "3 of them not valid" in out


def test_two_versions_that_are_measured_in_turns_stay_two_series(call: Call) -> None:
    for day in range(0, 24, 2):
        imported(call, 40 + day % 3 / 10, start=day)
        imported(call, 50 + day % 3 / 10, start=day + 1, llama="0.6.0")
    data = json.loads(call("history", NAME, "--json")[1])
    (track,) = data["tracks"]
    assert [len(one["runs"]) for one in track["series"]] == [12, 12]


def test_every_form_has_the_same_figures(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    imported(call, *STEADY, 34, 34)
    data = json.loads(call("history", NAME, "--json")[1])
    rows = list(csv.DictReader(io.StringIO(call("history", NAME, "--csv")[1])))
    (series,) = data["tracks"][0]["series"]
    text, picture = call("history", NAME)[1], call("history", NAME, "--svg")[1]
    assert picture.startswith("<svg") and picture.count("<circle") == len(rows) == 12
    for run, row in zip(series["runs"], rows, strict=True):
        one = run["decode_tokens_per_second"]
        assert row["run"] == run["id"] and row["valid"] == "true"
        assert float(row["decode_tokens_per_second_median"]) == one["median"]
        assert [float(value) for value in row["decode_tokens_per_second_samples"].split()] == one["samples"]
        assert row["decode_tokens_per_second_state"] == one["state"]
        low = row["decode_tokens_per_second_band_low"]
        assert (float(low) if low else None) == (one["band"]["low"] if one["band"] else None)
        assert f"{run['measured_at_utc'][:10]}: {one['median']:.1f} tokens/s, {one['state']}" in picture
        assert f"decode {one['median']:.1f} tokens/s" in text
    assert data["tracks"][0]["alarms"][0]["run"] == series["runs"][-1]["id"]
    assert main(["ui", "--plain", "--columns", "1000", "history", NAME]) == 0
    assert text.rstrip() in capsys.readouterr().out


def test_one_run_is_enough_for_every_form_and_none_is_said(call: Call) -> None:
    code, out, _ = call("history", NAME)
    assert code == 0 and "No measurement of" in out and "zoo bench import FILE" in out
    imported(call, 40)
    assert "too few runs to say what is usual" in call("history", NAME)[1]
    assert call("history", NAME, "--svg")[1].count("<circle") == 1
    assert len(call("history", NAME, "--csv")[1].splitlines()) == 2


def test_the_picture_of_one_track_is_asked_for(call: Call) -> None:
    imported(call, 40)
    imported(call, 30, start=5, label="pi-4-8gb")
    code, _, err = call("history", NAME, "--svg")
    assert code == 2 and "--only Q8_0 --only pi-4-8gb" in err
    assert call("history", NAME, "--svg", "--only", "pi-4-8gb")[0] == 0
    code, _, err = call("history", NAME, "--only", "pi-9")
    assert code == 2 and "Known: Q8_0, pi-4-8gb, pi-5-8gb" in err


def test_a_file_that_the_catalog_does_not_have_needs_the_name_of_its_model(call: Call) -> None:
    report = benchruns.report(0, 40)
    report["file"]["sha256"] = "f" * 64
    (path,) = benchruns.written(Path("reports"), report)
    code, _, err = call("import", path)
    assert code == 2 and f"zoo bench import {path} --model NAME" in err
    assert call("import", path, "--model", NAME, "--commit", "1234567-dirty")[0] == 0
    (run,) = json.loads(call("history", NAME, "--json")[1])["tracks"][0]["series"][0]["runs"]
    assert run["commit"] == "1234567-dirty"
    assert call("import", path, "--model", "nothing")[0] == 2
    assert call("import", path, "--commit", "main; rm")[0] == 2


def test_a_history_of_a_board_is_imported_with_what_it_accepted(call: Call, tmp_path: Path) -> None:
    reports = [benchruns.report(day, speed) for day, speed in enumerate([*STEADY, 34, 34])]
    board = [formats.canonical(formats.run_line(one, model=None)) for one in reports]
    for figure in formats.FIGURES:
        ack = formats.ack_line("2026-03-01T00:00:00Z", formats.id_of(reports[-1]), figure, "Ada", "A slower board.")
        board.append(formats.canonical(ack))
    path = tmp_path / "board.jsonl"
    path.write_text("\n".join(board) + '\n{"torn', encoding="utf-8")
    code, out, err = call("import", str(path))
    assert code == 0 and "14 lines added" in out and "15: this line is set aside: it is incomplete" in err
    assert "0 lines added, 14 known already" in call("import", str(path))[1]
    assert call("history", NAME, "--check")[0] == 0


def test_a_hostile_report_shows_no_control_characters(call: Call) -> None:
    imported(call, 40, label="\x1b[31mred\u202e<script>")
    for form in ((), ("--svg",), ("--csv",), ("--json",)):
        out = call("history", NAME, *form)[1]
        assert "\x1b" not in out and ("\u202e" not in out or form == ("--json",))
        assert "<script>" not in out or "--svg" not in form
