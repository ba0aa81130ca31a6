"""Fixtures of the tests of zoo pull and zoo verify."""

from __future__ import annotations

from pathlib import Path

import pytest
from pullsamples import Say, Zoo, make_zoo

from zoo.__main__ import main


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """The current folder is in it."""
    made = make_zoo(tmp_path / "zoo")
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command; exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run
