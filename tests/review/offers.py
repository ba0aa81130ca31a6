"""A zoo in git with a branch of a contribution, and its review."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zoo.__main__ import main

Captured = pytest.CaptureFixture[str]


def git(folder: Path, *words: str) -> None:
    author = ["-c", "user.name=Someone", "-c", "user.email=someone@localhost"]
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def zoo(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo in git, on a branch of a contribution."""
    git(zoo_folder, "init", "-q", "-b", "main")
    git(zoo_folder, "add", "-A")
    git(zoo_folder, "commit", "-q", "-m", "A zoo")
    git(zoo_folder, "switch", "-q", "-c", "offer")
    monkeypatch.chdir(zoo_folder)
    return zoo_folder


def reviewed(zoo: Path, capsys: Captured) -> tuple[int, str]:
    git(zoo, "add", "-A")
    git(zoo, "commit", "-q", "--allow-empty", "-m", "An offer")
    capsys.readouterr()
    code = main(["review", "main..offer"])
    said = capsys.readouterr()
    assert "bug in zoo" not in said.err, said.err
    return code, said.out
