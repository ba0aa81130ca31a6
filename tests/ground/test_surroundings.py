"""Where a command runs: other locales, closed and full streams, no home, no scratch folder, narrow terminals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pullsamples import NAME, make_zoo
from smalldisk import mounted
from tinyzoo import environment, make_tiny_zoo

from zoo.__main__ import main

COMMANDS = (["catalog"], ["check"], ["verify", NAME, "--on-hub"], ["doctor"])
SURROUNDINGS: dict[str, tuple[dict[str, str | None], str]] = {
    "C": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "{}"),
    "ASCII": ({"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"}, "{}"),
    "no home": ({"HOME": None}, "{}"),
    "a home that is not there": ({"HOME": "/nonexistent"}, "{}"),
    "twenty columns": ({"TERM": "dumb", "COLUMNS": "20"}, "{}"),
    "odd columns": ({"COLUMNS": "-5"}, "{}"),
    "a reader that leaves": ({}, "{} | head -c 1"),
    "no streams": ({}, "{} <&- >&- 2>&-"),
    "a full disk behind stdout": ({}, "{} >/dev/full"),
    "a full disk behind stderr": ({}, "{} 2>/dev/full"),
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield make_zoo(tmp_path_factory.mktemp("zoo") / "zoo").folder


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_every_command_gets_along(name: str, zoo: Path) -> None:
    changes, shell = SURROUNDINGS[name]
    full = environment(**{key: value for key, value in changes.items() if value is not None})
    for key in [key for key, value in changes.items() if value is None]:
        full.pop(key, None)
    for words in COMMANDS:
        command = shell.format(" ".join([sys.executable, "-m", "zoo", *words]))
        done = subprocess.run(
            ["sh", "-c", command], cwd=zoo, env=full, capture_output=True, timeout=60, check=False
        )
        said = done.stdout + done.stderr
        assert b"bug in zoo" not in said and b"Traceback" not in said, (words, said)
        assert b"Exception ignored" not in said, (words, said)
        assert done.returncode in ((0, 1) if "full" in name or "no streams" in name else (0,)), (words, said)


def test_a_current_folder_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["check"]) == 2
    assert "the current folder was deleted" in capsys.readouterr().err
    os.chdir(tmp_path)


def test_a_file_system_that_is_read_only(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands that only read work; commands that write name the target file, not a temporary one."""
    with mounted(tmp_path / "small", "40m") as small:
        shutil.copytree(zoo, small / "zoo")
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        monkeypatch.chdir(small / "zoo")
        try:
            for words in (["catalog"], ["check"], ["verify", NAME, "--on-hub"], ["doctor"]):
                assert main(words) == 0, words
            capsys.readouterr()
            for words, wanted in (
                (["watch", "--no-upstream"], "site"),
                (["yank", f"{NAME}@1.0.0", "--reason", "no"], "model_catalog.json"),
                (["pull", f"{NAME}:Q4_0"], f"{NAME}-1.0.0"), (["new", "another"], "recipes"),
            ):  # fmt: skip
                assert main(words) == 1, words
                said = capsys.readouterr().err
                assert "Read-only file system" in said and wanted in said and ".tmp" not in said, said
        finally:
            monkeypatch.chdir(tmp_path)  # else the file system is busy


def test_the_locale_is_named_where_it_lacks_letters(tmp_path: Path) -> None:
    recipe = make_tiny_zoo(tmp_path / "zoo") / "recipes/plain.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("texts/words.txt", "texts/\u00fcber.txt"), encoding="utf-8")
    narrow = environment(LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    command = [sys.executable, "-m", "zoo", "check", "recipes/plain.yaml"]
    done = subprocess.run(command, cwd=tmp_path / "zoo", env=narrow, capture_output=True, text=True, check=False)
    assert "has letters that the locale's encoding (ascii) lacks; set LC_ALL=C.UTF-8" in done.stdout
    assert "the locale's encoding for names of files is ascii" in done.stderr
    wide = environment(LC_ALL="C.UTF-8")
    done = subprocess.run(command, cwd=tmp_path / "zoo", env=wide, capture_output=True, text=True, check=False)
    assert "does not exist" in done.stdout and "locale" not in done.stdout + done.stderr
