"""A publication that is killed at any call to the hub resumes as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from publishsamples import Faulty, make_release, publish, refs

from zoo import settings as settings_room
from zoo.hub import FolderHub


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    (tmp_path / "zoo.toml").touch()
    return tmp_path


def in_child(zoo: Path, at: int) -> int:
    """Publish in a process, killed before (at > 0) or after (at < 0) that call; minus the signal, or the calls made."""
    pid = os.fork()
    if pid == 0:
        code = 250
        try:
            found = settings_room.load(zoo, {}, {})

            def act(number: int, method: str, kind: str) -> None:
                del method, kind
                if number == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            hub = Faulty(FolderHub(zoo / "build" / "hub"), act)
            publish(make_release(zoo), found, hub)
            code = len(hub.calls)
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def test_killed_at_any_call_and_run_again_is_as_if_nothing_had_happened(zoo: Path) -> None:
    calls = in_child(zoo / "whole", 0) if prepared(zoo / "whole") else 0
    assert 10 < calls < 100
    expected = final(zoo / "whole")
    # Before every call, and after the last one.
    for at in (*range(1, calls + 1), -calls):
        folder = prepared(zoo / f"killed{at}")
        assert in_child(folder, at) == -signal.SIGKILL
        if any(tags for _, tags in final(folder)["refs"].values()):
            assert final(folder)["commits"] == expected["commits"]  # a tag means that everything is there
        assert in_child(folder, 0) < 100
        assert final(folder) == expected, at
        shutil.rmtree(folder)


def prepared(zoo: Path) -> Path:
    zoo.mkdir()
    (zoo / "zoo.toml").touch()
    return zoo


def final(zoo: Path) -> dict[str, Any]:
    """Refs and commits of the hub, which contain no time."""
    repos = zoo / "build" / "hub" / "repos"
    return {
        "refs": refs(settings_room.load(zoo, {}, {})),
        "commits": {
            path.relative_to(repos).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(repos.glob("*/*/*/commits/*.json"))
        },
    }


def test_final_state_is_one_commit_and_one_tag_each(zoo: Path) -> None:
    in_child(prepared(zoo / "whole"), 0)
    found = final(zoo / "whole")
    assert len(found["commits"]) == 2
    assert all(
        list(branches) == ["main"] and list(tags) == ["v1.0.0"] for branches, tags in found["refs"].values()
    )
