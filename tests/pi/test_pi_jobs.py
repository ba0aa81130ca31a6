"""Jobs: a measurement goes on without its caller, its result can be fetched again, and nothing runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import waiting
from boardsite import environment

from pi_runtime import jobs

ID = "a-job-of-tests"
SECONDS = 60
WORK = """
import os, sys, time
from pi_runtime import jobs

home = os.environ["PI_ZOO_HOME"]

def work():
    with open(f"{home}/begun", "a") as begun:
        begun.write(f"{os.getpid()}\\n")
    print("one", file=sys.stderr, flush=True)
    while not os.path.exists(f"{home}/go"):
        time.sleep(0.02)
    print("two", file=sys.stderr)
    print("the answer")
    return 7

sys.exit(jobs.attend(sys.argv[1], work))
"""


def start(home: Path, name: str = ID) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORK, name], env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=home,
    )  # fmt: skip


def begun(home: Path) -> list[int]:
    path = home / "begun"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def test_a_job_outlives_its_caller_and_runs_once(home: Path) -> None:
    first = start(home)
    assert first.stderr and first.stderr.readline() == "one\n"
    first.kill()
    first.wait()
    second = start(home)
    assert second.stderr and second.stderr.readline() == "one\n"
    (home / "go").touch()
    for one in (second, start(home)):
        out, err = one.communicate(timeout=SECONDS)
        assert (one.returncode, out) == (7, "the answer\n") and err.endswith("two\n")
    assert len(begun(home)) == 1


def test_two_callers_at_once_get_the_same_answer(home: Path) -> None:
    some = [start(home) for _ in range(4)]
    waiting.until(lambda: begun(home))
    (home / "go").touch()
    assert {(*one.communicate(timeout=SECONDS), one.returncode) for one in some} == {
        ("the answer\n", "one\ntwo\n", 7)
    }
    assert len(begun(home)) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_died_is_said_and_begins_again(how: signal.Signals, home: Path) -> None:
    first = start(home)
    waiting.until(lambda: begun(home))
    os.kill(begun(home)[0], how)
    _, err = first.communicate(timeout=SECONDS)
    assert first.returncode != 0 and "ended without a result" in err
    (home / "go").touch()
    again = start(home)
    assert again.communicate(timeout=SECONDS)[0] == "the answer\n" and len(begun(home)) == 2


def test_old_results_are_deleted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI_ZOO_HOME", str(home))
    (home / "go").touch()
    assert start(home, "an-old-job").wait(SECONDS) == 7
    assert start(home, "a-new-job").wait(SECONDS) == 7
    old = time.time() - jobs.KEPT_SECONDS - 5
    os.utime(home / "jobs/an-old-job/code", (old, old))
    assert start(home).wait(SECONDS) == 7
    assert sorted(path.name for path in (home / "jobs").iterdir()) == [ID, "a-new-job"]


@pytest.mark.parametrize("name", ["", "short", "../../etc/x", "A-big-Name", "x" * 65, "-leading-sign"])
def test_names_that_leave_the_folder(name: str, home: Path) -> None:
    _, err = start(home, name).communicate(timeout=SECONDS)
    assert "--job must have" in err and not (home / "jobs").exists()
