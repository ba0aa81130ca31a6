"""Where ``zoo init`` makes a zoo, and where it does not; commands that it prints can be pasted into a shell."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tinyzoo import as_a_user

from catalog import shell
from zoo.__main__ import main
from zoo.cli import init


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", ["", ".", "..", "../file", "../file/x", "../file/x/y", "a" * 300, "dangling"])
def test_where_no_zoo_can_be_made_nothing_is_and_a_new_folder_is_asked_for(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.parent / "missing-link").symlink_to("nowhere")
    name = "../missing-link" if name == "dangling" else name
    code, said = main(["init", "--", name]), capsys.readouterr().err
    assert code == 2 and "Name a new folder, such as: zoo init my-zoo." in said
    assert "not empty" not in said or name == ".."
    assert not list(here.iterdir())


@pytest.mark.parametrize("name", ["my-zoo", "zoo \u00e9 x", "-zoo", "it's", "a;b", "deep/er"])
def test_the_next_command_can_be_pasted(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--", name]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Next: "))
    there = line.removeprefix("Next: ").partition(" && ")[0]
    done = subprocess.run(["bash", "-c", f"{there} && pwd"], cwd=here, capture_output=True, text=True, check=True)
    assert Path(done.stdout.rstrip("\n")) == here / name


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
@pytest.mark.parametrize("name", ["/proc/zoo", "/proc/a/b/zoo"])
def test_a_file_system_that_takes_no_files_is_named_without_temporary_names(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", name]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"zoo: no zoo can be made in {name}, because /proc ") and ".zoo." not in said
    assert "Nothing was changed." in said and "a folder elsewhere, such as: zoo init ~/my-zoo" in said


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes everywhere")
def test_a_folder_without_the_right_to_write_gets_the_command(here: Path) -> None:
    (here / "shut").mkdir(mode=0o555)
    code, said = as_a_user(here, "init", "shut/zoo")
    assert code == 1 and f"because {here}/shut cannot be written" in said and f"chmod u+w {here}/shut" in said
    assert not list((here / "shut").iterdir())


def test_a_disk_that_fills_up_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", f"{here}/.mine.abc.tmp/zoo.toml")

    monkeypatch.setattr(init, "_fill", full)
    assert main(["init", "mine"]) == 1
    said = capsys.readouterr().err
    assert "no zoo could be made in mine: No space left on device. Nothing of it remains. Free some space" in said
    assert ".tmp" not in said and not list(here.iterdir())


def test_an_empty_folder_becomes_a_zoo(here: Path) -> None:
    (here / "empty").mkdir()
    assert main(["init", "empty"]) == 0 and (here / "empty/zoo.toml").is_file()


def test_a_path_is_one_word_and_not_an_option() -> None:
    assert [shell.argument(path) for path in ("a/b", "a b", "-a", "--a b")] == ["a/b", "'a b'", "./-a", "'./--a b'"]


@pytest.mark.parametrize("arguments", [("verify",), ("hub", "serve")])
def test_a_file_is_not_called_missing(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "../file"]) == 2
    said = capsys.readouterr().err
    assert "not a folder" in said and "not found" not in said
    assert main([*arguments, "../nosuch"]) == 2 and "../nosuch was not found" in capsys.readouterr().err
