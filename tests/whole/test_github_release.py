"""The release of the program against a small release API: killed at every request, a second run completes it."""

from __future__ import annotations

import hashlib
import json
import runpy
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import githubapi
import pytest
import workflowfiles
from githubreleases import Releases, environment
from workflowfiles import REPOSITORY, Killer, Runner

SCRIPT = runpy.run_path(str(REPOSITORY / "scripts/githubrelease.py"))
FILES = ("zoo-1.0.0.tar.gz", "zoo-1.0.0-py3-none-any.whl", "bundle.jsonl")
ALL = {*FILES, "SHA256SUMS"}
REQUESTS = 8
"""Of a release of four files: look, draft, each file, look again, publish."""
UPLOADS = range(3, 7)
KILLS = [(number, how) for number in range(1, REQUESTS + 1) for how in ("before", "after")]
KILLS += [(number, "torn") for number in UPLOADS]
QUICK = (4, "torn")
"""The only one of make test."""


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    made = Releases(ALL)
    for name, value in environment(made, "v1.0.0").items():
        monkeypatch.setenv(name, value)
    with githubapi.serving(made):
        yield made


@pytest.fixture
def dist(tmp_path: Path) -> str:
    (tmp_path / "dist").mkdir()
    for name in FILES:
        (tmp_path / "dist" / name).write_bytes(name.encode() * 100)
    return str(tmp_path / "dist")


def run(*folders: str) -> int:
    code: int = SCRIPT["main"](list(folders))
    return code


def judge(github: Releases) -> None:
    """One published release with every file once."""
    (release,) = github.releases
    assert not release["draft"] and sorted(one["name"] for one in release["assets"]) == sorted(ALL)
    for one in release["assets"]:
        assert one["state"] == "uploaded"
    (sums,) = [github.contents[one["id"]] for one in release["assets"] if one["name"] == "SHA256SUMS"]
    for line in sums.decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(name.encode() * 100).hexdigest() == digest


def test_a_release_is_a_draft_until_every_file_is_there(github: Releases, dist: str) -> None:
    assert run(dist) == 0
    judge(github)
    before = github.count
    assert run(dist) == 0 and github.count == before + 1  # published: one look, nothing sent


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("request_number", range(1, REQUESTS + 1))
def test_a_second_run_completes_what_a_lost_request_left(
    github: Releases, dist: str, request_number: int, after: bool
) -> None:
    github.fault, github.after = request_number, after
    assert run(dist) == 1 or request_number > github.count
    assert run(dist) == 0
    judge(github)


def test_a_torn_upload_is_sent_again(github: Releases, dist: str, capsys: pytest.CaptureFixture[str]) -> None:
    github.torn_at = UPLOADS[0]
    assert run(dist) == 1 and "Run the job again" in capsys.readouterr().err
    assert run(dist) == 0
    judge(github)


@pytest.mark.parametrize(
    ("number", "how"), [kill if kill == QUICK else pytest.param(*kill, marks=pytest.mark.long) for kill in KILLS]
)
def test_a_step_that_is_killed_is_completed_by_the_next_run(
    number: int, how: str, github: Releases, dist: str, tmp_path: Path
) -> None:
    """The step of both workflows, as a process of a runner. It is killed when the server has a request, when it has
    done what it asks, or while a file is sent; the next run, on a new machine, has the same files."""
    steps = {workflowfiles.runs(workflowfiles.jobs(name)["publish"])[0] for name in ("program-release", "program-deb")}
    (step,) = steps
    for place in (tmp_path / "first", tmp_path / "second"):
        (place / "attestation").mkdir(parents=True)
        shutil.copytree(REPOSITORY / "scripts", place / "scripts")
        shutil.copytree(dist, place / "dist")
        (place / "dist" / FILES[-1]).rename(place / "attestation" / FILES[-1])
    python = Path(sys.executable).parent
    world = environment(github, "v1.0.0")
    killer = Killer()
    github.strike, github.fault, github.after = killer.strike, number, how != "before"
    github.torn_at = number if how == "torn" else 0
    done = killer.run(Runner(tmp_path / "one", python, **world), step, tmp_path / "first")
    assert done.returncode == -signal.SIGKILL and github.count == number, done.stderr
    assert all(release["draft"] for release in github.releases) or (number, how) == (REQUESTS, "after")
    done = Runner(tmp_path / "two", python, **world).run(step, tmp_path / "second")
    assert done.returncode == 0 and "https://github.com/1" in done.stdout, done.stderr
    judge(github)


def test_what_it_refuses(
    github: Releases,
    dist: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 1 and "there are no files" in capsys.readouterr().err
    assert run(dist) == 0
    (tmp_path / "dist" / "late.txt").write_text("late")
    assert run(dist) == 1 and "Make a higher version" in capsys.readouterr().err
    assert run(dist, dist) == 1 and "twice" in capsys.readouterr().err
    github.releases.append(dict(github.releases[0]))
    assert run(dist) == 1 and "there are 2 releases" in capsys.readouterr().err
    github.releases[:] = []
    github.act("POST", "/repos/o/r/releases", json.dumps({"tag_name": "v1.0.0", "draft": True}).encode())
    github.act("POST", "/repos/o/r/releases/1/assets?name=evil.whl", b"x")
    assert run(dist) == 1 and "nobody built here: evil.whl" in capsys.readouterr().err
    monkeypatch.delenv("GITHUB_TOKEN")
    assert run(dist) == 1 and "GITHUB_TOKEN is not set" in capsys.readouterr().err
