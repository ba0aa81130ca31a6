"""Measuring on boards through a real ssh server: what comes back, what is kept, and lost connections."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import benchruns
import pytest
import sshserver
import waiting
from sshserver import BoardHere, needs_sshd

from zoo.errors import InputError
from zoo.fleet import bringing, ssh

SPEC = f"{benchruns.NAME}@1.0.0:{benchruns.TYPE}"
ONE = ("--type", benchruns.TYPE, "--by", "Ada")
SECONDS = 120


@pytest.fixture
def board(tmp_path: Path) -> Iterator[BoardHere]:
    made = sshserver.start(tmp_path / "ssh", "one")
    yield made
    made.stop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "zoo").mkdir()
    return benchruns.zoo(tmp_path / "zoo")


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{place.parent / 'ssh/bin'}:{os.environ['PATH']}"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "zoo", "bench", "run", benchruns.NAME, *words]


def zoo(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=place, env=environment(place), capture_output=True, text=True, timeout=SECONDS
    )


def begin(place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*words), cwd=place, env=environment(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def reports(place: Path) -> list[Path]:
    return sorted((place / "site/evidence").rglob("reports/*.json"))


def report(**more: Any) -> dict[str, Any]:
    return benchruns.report(3, 12.0, label="pi-5-8gb", **more)


@needs_sshd
def test_a_report_comes_back_as_evidence(board: BoardHere, place: Path) -> None:
    board.has(SPEC, report())
    board.go(0, 1)
    done = zoo(place, "--on", board.address, *ONE, "--samples", "7", "--short")
    assert done.returncode == 0, done.stderr
    assert f"{board.words}: pi-zoo 9.9, 1 file to measure" in done.stderr
    assert f"{board.words}, {benchruns.TYPE}: sample 2 of 2" in done.stderr
    (path,) = reports(place)
    assert path.name == "Ada-pi-5-8gb-Q8_0-20260104T080000Z.json" and path.name in done.stdout
    assert json.loads(path.read_bytes())["measured_by"] == "Ada"
    asked = json.loads(board.lines("calls")[1])
    assert asked[:9] == ["bench", SPEC, "--json", "--log", "json", "--by", "Ada", "--samples", "7"]
    check = subprocess.run([sys.executable, "-m", "zoo", "check"], cwd=place, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    # The next measurement is a new one.
    board.measures(SPEC, {**report(), "measured_at_utc": "2026-01-09T08:00:00Z"})
    assert zoo(place, "--on", board.address, *ONE).returncode == 0
    assert len(reports(place)) == 2 and board.lines("begun") == [SPEC, SPEC]


@needs_sshd
def test_a_lost_connection_is_resumed_and_nothing_is_measured_twice(board: BoardHere, place: Path) -> None:
    board.has(SPEC, report(), steps=3)
    running = begin(place, "--on", board.address, *ONE)
    assert running.stderr
    said = []
    for line in running.stderr:
        said.append(line)
        if "sample 1 of 3" in line:
            board.drop()
            board.go(0)
        if "sample 2 of 3" in line:
            board.drop()
            board.go(1, 2)
    assert running.wait(SECONDS) == 0, "".join(said)
    assert sum("the connection was lost; the board continues" in line for line in said) == 2
    # Each line once, though the board repeats them.
    assert [sum(f"sample {number} of 3" in line for line in said) for number in (1, 2, 3)] == [1, 1, 1]
    assert board.lines("begun") == [SPEC] and len(reports(place)) == 1


@needs_sshd
def test_the_same_command_fetches_what_the_board_has_finished_meanwhile(board: BoardHere, place: Path) -> None:
    board.has(SPEC, report())
    running = begin(place, "--on", board.address, *ONE)
    assert running.stderr
    for line in running.stderr:
        if "sample 1 of 2" in line:
            running.kill()
    running.wait()
    board.go(0, 1)
    waiting.until(lambda: list(board.home.glob("jobs/*/code")))
    done = zoo(place, "--on", board.address, *ONE)
    assert done.returncode == 0, done.stderr
    assert board.lines("begun") == [SPEC] and len(reports(place)) == 1


@needs_sshd
def test_several_boards_work_at_the_same_time(board: BoardHere, place: Path) -> None:
    other = sshserver.start(place.parent / "ssh", "two")
    try:
        for number, one in enumerate((board, other)):
            one.has(SPEC, {**report(), "measured_at_utc": f"2026-01-0{number + 1}T08:00:00Z"}, steps=1)
        running = begin(place, "--on", board.address, "--on", other.address, *ONE)
        # Both have begun before one of them may end.
        waiting.until(lambda: board.lines("begun") and other.lines("begun"))
        board.go(0)
        other.go(0)
        out, err = running.communicate(timeout=SECONDS)
        assert running.returncode == 0, err
        assert len(reports(place)) == 2 and out.count("valid") == 2
    finally:
        other.stop()


@needs_sshd
def test_nothing_is_downloaded_without_being_asked_for(board: BoardHere, place: Path) -> None:
    board.measures(SPEC, report())
    board.go(0, 1)
    done = zoo(place, "--on", board.address, *ONE)
    assert done.returncode == 1 and "is not on this board" in done.stdout
    assert not any('"pull"' in line for line in board.lines("calls")) and not reports(place)
    done = zoo(place, "--on", board.address, *ONE, "--pull")
    assert done.returncode == 0 and len(reports(place)) == 1, done.stdout


@needs_sshd
def test_a_disturbed_run_is_kept_in_the_history_and_marked(board: BoardHere, place: Path) -> None:
    board.has(SPEC, report(valid=False))
    board.go(0, 1)
    done = zoo(place, "--on", board.address, *ONE, "--json")
    (one,) = json.loads(done.stdout)["measured"]
    assert done.returncode == 1 and one["state"] == "not valid" and one["path"].endswith("bench-history.jsonl")
    assert not reports(place)
    shown = subprocess.run(
        [sys.executable, "-m", "zoo", "bench", "history", benchruns.NAME], cwd=place, capture_output=True, text=True
    )
    assert "NOT VALID" in shown.stdout


@needs_sshd
@pytest.mark.parametrize(
    "fault", ["other file", "other file, disturbed", "other person", "too fast", "no report", "not JSON"]
)
def test_a_report_that_cannot_be_true_is_not_kept(fault: str, board: BoardHere, place: Path) -> None:
    made: Any = report(valid="disturbed" not in fault)
    if fault.startswith("other file"):
        made["file"]["sha256"] = "0" * 64
    elif fault == "other person":
        made["measured_by"] = "Eve"
    elif fault == "too fast":
        made = benchruns.report(3, 90_000.0, label="pi-5-8gb")
        for name in ("decode_tokens_per_second", "prompt_tokens_per_second"):
            made["summary"][name]["median"] = made["samples"][2][name]
    elif fault == "no report":
        made = {"a": 1}
    board.has(SPEC, made)
    if fault == "not JSON":
        (board.home / "reports" / SPEC).write_text("[1]")
    board.go(0, 1)
    done = zoo(place, "--on", board.address, *ONE)
    assert done.returncode == 1 and "Traceback" not in done.stderr + done.stdout and not reports(place)
    assert "failed" in done.stdout and not list((place / "site").rglob("bench-history.jsonl"))


@needs_sshd
def test_a_board_that_cannot_be_used(board: BoardHere, place: Path) -> None:
    bare = sshserver.start(place.parent / "ssh", "bare", with_pi_zoo=False)
    bare_done = zoo(place, "--on", board.address, "--on", bare.address, *ONE)
    bare.stop()
    assert bare_done.returncode == 1 and f"{bare.words} has no pi-zoo" in bare_done.stderr
    assert "Nothing was installed or changed there." in bare_done.stderr and not board.lines("begun")
    gone = zoo(place, "--on", bare.address, *ONE)
    assert gone.returncode == 1 and "cannot be reached: " in gone.stderr and "Connection refused" in gone.stderr
    (place.parent / "ssh/known_hosts").write_text("")
    unknown = zoo(place, "--on", board.address, *ONE)
    assert unknown.returncode == 1 and "Host key verification failed" in unknown.stderr


@pytest.mark.parametrize("address", [
    "", "ssh://", "-oProxyCommand=x", "ssh://-oProxyCommand=x@h", "ssh://h:0", "ssh://h:99999", "http://h", "a b",
    "ssh://h/x", "pi@-h", "h;reboot", "$(reboot)",
])  # fmt: skip
def test_what_is_not_an_address(address: str) -> None:
    with pytest.raises(InputError):
        ssh.board(address)


def test_addresses_and_the_line_for_ssh() -> None:
    assert ssh.board("ssh://pi@board.local:2222/").words == "pi@board.local:2222"
    assert ssh.board("board").words == "board"
    assert ssh.board("ssh://pi@[fe80::1%eth0]").host == "fe80::1%eth0"
    line = ssh.command(ssh.board("pi@board"), ("pi-zoo", "bench", "a b; reboot"))
    assert line[-3:] == ["--", "board", "pi-zoo bench 'a b; reboot'"] and "BatchMode=yes" in line
    # A background connection of our own would keep the pipe of its stderr open, and the command would never end.
    assert "ControlMaster=no" in line


def test_a_hostile_report_has_a_harmless_name() -> None:
    made = {"measured_by": "../../etc", "device": {"label": "a/b\n\x1b[31m"}, "measured_at_utc": "../x"}
    assert bringing.report_name(made, "Q8_0") == "etc-a-b-31m-Q8_0-x.json"
    assert len(bringing.report_name({"measured_by": "x" * 500, "device": 7}, "Q8_0")) < 120
