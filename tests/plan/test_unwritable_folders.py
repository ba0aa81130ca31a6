"""A work or release folder that cannot be written is named before anything is made, with what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tinyzoo import as_a_user, make_talker, make_tiny_zoo

from zoo.files.writable import obstacle
from zoo.plan import preflight
from zoo.settings import load

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


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
@pytest.mark.parametrize("command", ["plan", "doctor", "build"])
def test_a_file_system_that_takes_no_files_is_found_before_the_build(command: str, zoo: Path) -> None:
    code, text = as_a_user(zoo, command, "plain", "--work", "/proc/zoo")
    assert "setting work (flag --work): no files can be written in /proc/zoo, because /proc " in text
    assert code == (0 if command == "plan" else 1) and "[1/" not in text


@pytest.mark.parametrize("name", preflight.WRITTEN)
@pytest.mark.parametrize("place", ["models/teacher", "models/teacher/in/it", "./models/../models/teacher/x"])
def test_nothing_is_written_into_a_model_folder(name: str, place: str, zoo: Path) -> None:
    """What is written there would change the source, and its pin."""
    (zoo / "zoo.toml").write_text(f'namespace = "tiny"\n{name} = "{place}"\n', encoding="utf-8")
    (found,) = preflight.folders(load(zoo, {}, {}))
    assert found.startswith(f"setting {name} (zoo.toml): ") and "is inside the model folder models/teacher" in found
    (zoo / "zoo.toml").write_text(f'{name} = "models/other"\n', encoding="utf-8")
    assert not preflight.folders(load(zoo, {}, {}))


def test_the_commands_say_it(zoo: Path) -> None:
    (zoo / "zoo.toml").write_text('namespace = "tiny"\nreleases = "models/teacher"\n', encoding="utf-8")
    for command, code in (("plan", 0), ("doctor", 1), ("build", 1)):
        found, text = as_a_user(zoo, command, "plain")
        assert found == code and "models/teacher is inside the model folder models/teacher" in text
    assert len(list((zoo / "models/teacher").iterdir())) == len(list(make_talker(zoo / "x").iterdir()))


def test_obstacles(tmp_path: Path) -> None:
    assert obstacle(tmp_path) is None and obstacle(tmp_path / "a/b") is None
    (tmp_path / "to").symlink_to("nothing")
    (tmp_path / "f").touch()
    assert obstacle(tmp_path / "to/a") == (tmp_path / "to", "is a link to nothing")
    assert obstacle(tmp_path / "f/a/b") == (tmp_path / "f", "is a file, not a folder")
