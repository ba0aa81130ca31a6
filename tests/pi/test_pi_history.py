"""The history of a board: the same format, series and rule as the catalog's, kept through power cuts, read by a zoo."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import benchruns
import pytest
from boardsite import NAME, pi_zoo

from catalog import history as formats
from pi_runtime import alarm, history, plainjson, store
from pi_runtime.store import Kept, Receipt
from zoo.history import rule


def series(number: int) -> list[float]:
    """Speeds with noise, odd runs and changes of level."""
    rng = random.Random(number)
    level, found = 10.0, []
    for _ in range(rng.randrange(1, 60)):
        if rng.random() < 0.05:
            level *= rng.choice((0.7, 0.9, 1.1, 1.4))
        odd = rng.choice((0.6, 1.3)) if rng.random() < 0.1 else 1.0
        found.append(level * odd * rng.gauss(1, rng.choice((0.001, 0.02))))
    return found


@pytest.mark.parametrize("accepting", [False, True])
def test_the_rule_is_that_of_the_catalog(accepting: bool) -> None:
    states = set()
    for number in range(300):
        values = series(number)
        rng = random.Random(-number)
        accepted = {place for place in range(len(values)) if rng.random() < 0.3} if accepting else set()
        for end, one in enumerate(rule.judge(values, accepted=accepted), 1):
            mine = alarm.judge(values[:end], accepted)
            assert (mine.state, mine.began) == (one.state, one.alarm), (number, end)
            assert (mine.band and vars(mine.band)) == (one.band and vars(one.band))
            states.add(mine.state)
    assert states == {"too few runs", "usual", "suspect", "worse", "better"} | ({"accepted"} if accepting else set())


@pytest.mark.parametrize("change", [
    {}, {"label": None}, {"label": None, "board_model": None}, {"kernel": None}, {"cores_usable": 3},
    {"label": "Gärtner π"},
])  # fmt: skip
@pytest.mark.parametrize("board", [False, True])
def test_series_and_ids_are_those_of_the_catalog(change: dict[str, Any], board: bool) -> None:
    report = benchruns.report(1, 9.5, **change)
    if board:
        report["board"] = {
            "engine": "llama-server", "profile": "pi-5-8gb", "accelerator": "cpu", "threads_prompt": 4,
            "kv_type": "f16", "package_version": "1", "probe": {"passed": True},
        }  # fmt: skip
    told = formats._Report(**report)  # type: ignore[typeddict-item] # a report is what the reader makes of its JSON
    assert formats._series(told, report.get("board")) == history.series_of(plainjson.parse(json.dumps(report), "r"))
    assert history.id_of({**report, "measured_by": "Ada"}) == formats.id_of(report)


def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A file of a board's store."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "home"))
    receipt = Receipt(NAME, "1.0.0", "model.gguf", "Q8_0", 4, benchruns.sha256(), None, "https://example.org/model.gguf")
    one = Kept(tmp_path / "home", receipt)
    store.make_folder(one.folder)
    one.path.write_bytes(b"GGUF")
    store.write_receipt(one)
    return one


def measured(one: Kept, speeds: list[float], first: int = 0) -> None:
    for day, speed in enumerate(speeds, first):
        history.add(history.path(), history.line_of(benchruns.report(day, speed), one))  # type: ignore[arg-type] # as read


def test_a_slower_board_is_said_and_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(tmp_path, monkeypatch)
    home = tmp_path / "home"
    assert "Nothing was measured yet" in pi_zoo(home, "history").stdout
    measured(one, [10.0, 10.1] * 6)
    done = pi_zoo(home, "history", NAME)
    assert done.returncode == 0 and "12 runs" in done.stdout and "decode: usual are 9." in done.stdout, done.stderr
    assert "this run is slower" not in done.stdout
    measured(one, [8.5], 12)
    assert "this run is slower. Measure again" in pi_zoo(home, "history").stdout
    assert pi_zoo(home, "history", NAME, "--accept", "a fan broke", "--by", "Ada").returncode == 1
    measured(one, [8.4], 13)
    assert "ALARM: 16% slower than usual since 2026-01-14" in pi_zoo(home, "history").stdout
    data = json.loads(pi_zoo(home, "history", "--json").stdout)
    assert [speed["state"] for speed in data["files"][0]["speeds"]] == ["worse", "worse"]
    accepted = pi_zoo(home, "history", NAME, "--accept", "a fan broke", "--by", "Ada")
    assert accepted.returncode == 0 and accepted.stdout.count("Accepted: ") == 2
    assert "ALARM" not in pi_zoo(home, "history").stdout
    assert pi_zoo(home, "history", "--accept", "why", "--by", "Ada").returncode == 2


def test_a_zoo_imports_the_file_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(tmp_path, monkeypatch)
    measured(one, [10.0] * 12 + [8.0, 8.1])
    pi_zoo(tmp_path / "home", "history", NAME, "--accept", "a fan broke", "--by", "Ada")
    found = formats.parse(history.path().read_bytes())
    assert len(found.runs) == 14 and len(found.acks) == 2 and not found.aside
    (tmp_path / "zoo").mkdir()
    place = benchruns.zoo(tmp_path / "zoo")
    words = [sys.executable, "-m", "zoo", "bench"]
    for wanted in ("16 lines added, 0 known already", "0 lines added, 16 known already"):
        done = subprocess.run([*words, "import", str(history.path())], capture_output=True, text=True, cwd=place)
        assert wanted in done.stdout, done.stderr
    shown = subprocess.run([*words, "history", NAME], capture_output=True, text=True, cwd=place).stdout
    assert "Accepted on" in shown and "a fan broke" in shown and "ALARM" not in shown


def test_a_torn_line_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(tmp_path, monkeypatch)
    measured(one, [10.0, 10.0])
    path = history.path()
    whole = path.read_bytes()
    rng = random.Random(5)
    for cut in rng.sample(range(1, len(whole)), 25):
        path.write_bytes(whole[:cut])
        measured(one, [9.0], 5)
        found = history.read(path)
        complete = whole[:cut].count(b"\n") + (whole[cut : cut + 1] == b"\n")
        assert len(found.runs) == complete + 1
        assert len(found.skipped) == (whole[:cut] != b"".join(whole.splitlines(True)[:complete])
                                      and whole[cut : cut + 1] != b"\n")  # fmt: skip
        assert path.read_bytes().startswith(whole[:cut])
    path.write_bytes(b'{"schema": "bench-history/1", "kind": "run", "report": {"samples": []}}\nno\n\xff\n' + whole)
    done = pi_zoo(tmp_path / "home", "history")
    assert done.returncode == 0 and "3 lines cannot be used: 1, 2, 3" in done.stderr and "2 runs" in done.stdout


def test_a_history_that_is_full_or_not_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(tmp_path, monkeypatch)
    monkeypatch.setattr(history, "MOST_BYTES", 100)
    from pi_runtime import remembering

    lines = remembering.keep(benchruns.report(1, 9.0), one)  # type: ignore[arg-type] # as read
    assert "is full. Move it away: a new one is begun." in lines[0] and not history.path().read_bytes()
    history.path().unlink()
    history.path().mkdir()
    assert "Is a directory" in remembering.keep(benchruns.report(1, 9.0), one)[0]  # type: ignore[arg-type] # as read
    done = pi_zoo(tmp_path / "home", "history")
    assert done.returncode == 1 and "cannot be read: Is a directory" in done.stderr


def test_runs_with_another_kernel_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(tmp_path, monkeypatch)
    measured(one, [10.0] * 12)
    for day in (20, 21):
        report: Any = benchruns.report(day, 8.0, kernel="Linux 9.9")
        history.add(history.path(), history.line_of(report, one))
    shown = pi_zoo(tmp_path / "home", "history").stdout
    assert "2 runs" in shown and "12 earlier runs cannot be compared" in shown and "ALARM" not in shown


