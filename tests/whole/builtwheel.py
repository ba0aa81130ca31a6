"""The project's wheel, built as for a release, and processes that must succeed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def call(command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """What a command printed; the test fails with its output unless it ended with 0."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, once for each file of tests."""
    out = tmp_path_factory.mktemp("wheel")
    call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out], REPOSITORY)
    (path,) = out.glob("*.whl")
    return path
