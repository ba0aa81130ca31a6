"""How the tests of the command line call it: in this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recipesamples import PLAIN

from zoo.__main__ import main

REPOSITORY = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def inside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in the zoo of the test, if it uses one."""
    if "zoo_folder" in request.fixturenames:
        monkeypatch.chdir(request.getfixturevalue("zoo_folder"))


in_a_zoo = pytest.mark.usefixtures("zoo_folder")


def called(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)."""
    code = main(arguments)
    said = capsys.readouterr()
    assert "Traceback" not in said.err and "bug in zoo" not in said.err
    return code, said.out, said.err


def as_json(capsys: Captured, *arguments: str) -> tuple[int, Any]:
    code, out, _ = called(capsys, *arguments, "--json")
    return code, json.loads(out)


def process(
    *arguments: str, cwd: Path = REPOSITORY, code: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    start = ["-c", code] if code else ["-m", "zoo"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), os.environ["PYTHONPATH"]))}
    environment |= variables
    return subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def broken(zoo: Path) -> Path:
    path = zoo / "recipes" / "plain.yaml"
    path.write_text(
        PLAIN.replace("task: chat", "task: chatt").replace("windows:", "window:"), encoding="utf-8"
    )
    return path
