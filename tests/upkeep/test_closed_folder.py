"""A folder hub that may not be looked at is still there: no other one is taken for it, and nothing calls it gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinyzoo
from publishsamples import complete_release, through_flow

from zoo import settings as settings_room
from zoo.hub import FolderHub
from zoo.hub.folders import is_there

MODEL = "smollm2-135m-instruct"


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[Path]:
    """A release in ../closed/hub, which may not be looked at; the folder of the settings has a copy of it."""
    zoo, closed = tmp_path / "zoo", tmp_path / "closed"
    zoo.mkdir()
    (zoo / "zoo.toml").touch()
    through_flow(complete_release(zoo, "1.0.0"), settings_room.load(zoo, {"hub": "../closed/hub"}, {}))
    shutil.copytree(closed / "hub", zoo / "build/hub")
    closed.chmod(0)
    yield zoo
    closed.chmod(0o700)


def test_a_closed_folder_is_not_taken_for_one_that_is_gone(zoo: Path) -> None:
    copy = FolderHub(zoo / "build/hub").repo("model", "local", "tutor-gguf")
    before = copy.refs()
    code, told = tinyzoo.as_a_user(zoo, "yank", f"{MODEL}@1.0.0", "--reason", "It never stops.")
    assert code == 0 and "does not exist" not in told and "Errno" not in told, told
    assert "The card is pending: Permission denied (" in told and "closed/hub" in told, told
    assert copy.refs() == before, "a copy is another hub"
    code, told = tinyzoo.as_a_user(zoo, "watch", "--no-upstream")
    assert code == 1 and "Permission denied" in told and "does not exist" not in told, told


def test_folders_that_are_gone_and_one_that_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("none", "a file/hub", "a file", "loop", "x" * 300, "\0"):
        assert not is_there(FolderHub(tmp_path / name)), name
    assert is_there(FolderHub(tmp_path))
