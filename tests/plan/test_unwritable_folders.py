"""A work or release folder that cannot be written is named before anything is made, with what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tinyzoo import as_a_user, make_tiny_zoo

from zoo.files.writable import obstacle

NEEDS_RIGHTS = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes everywhere"
)


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = make_tiny_zoo(tmp_path / "zoo")
    (folder / "taken").write_text("x", encoding="utf-8")
    (folder / "shut").mkdir(mode=0o555)
    return folder


@pytest.mark.parametrize("command", ["plan", "doctor", "build", "release"])
@pytest.mark.parametrize(
    ("flag", "place", "said"),
    [
        ("--work", "taken", "because taken is a file, not a folder. Move it away, or name another folder with --work"),
        pytest.param(
            "--work", "shut/in/it",
            "because shut cannot be written. Make it writable (chmod u+w shut), or name another folder with --work",
            marks=NEEDS_RIGHTS,
        ),
    ],
)  # fmt: skip
def test_each_command_names_it_first(command: str, flag: str, place: str, said: str, zoo: Path) -> None:
    code, text = as_a_user(zoo, command, "plain", flag, place)
    assert f"setting work (flag --work): no files can be written in {place}, {said}" in text, text
    assert code == (0 if command == "plan" else 1)
    assert "[1/" not in text and sorted(one.name for one in (zoo / "shut").iterdir()) == []


def test_the_folder_of_releases_too(zoo: Path) -> None:
    code, text = as_a_user(zoo, "build", "plain", "--releases", "taken/in")
    assert code == 1 and "setting releases (flag --releases): no files can be written in taken/in, because" in text


def test_obstacles(tmp_path: Path) -> None:
    assert obstacle(tmp_path) is None and obstacle(tmp_path / "a/b") is None
    (tmp_path / "to").symlink_to("nothing")
    (tmp_path / "f").touch()
    assert obstacle(tmp_path / "to/a") == (tmp_path / "to", "is a link to nothing")
    assert obstacle(tmp_path / "f/a/b") == (tmp_path / "f", "is a file, not a folder")
