"""What a hub must do, once more with version 1 of the official client, which lies in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "hub1"
HERE = Path(__file__).parent
SUITES = ("test_hub_contract.py", "test_publish_faults.py")


@pytest.mark.skipif(
    not FOLDER.is_dir() and "CI" not in os.environ,
    reason="version 1 of the client is not installed; run: make environment",
)
def test_the_same_suites_with_version_1(tmp_path: Path) -> None:
    path = os.pathsep.join((str(FOLDER), str(HERE.parent), os.environ["PYTHONPATH"]))
    environment = {**os.environ, "PYTHONPATH": path}
    asked = [sys.executable, "-c", "import huggingface_hub; print(huggingface_hub.__version__)"]
    version = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout
    assert version.startswith("1.")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'base'}",
    ]
    done = subprocess.run(
        [*command, *(str(HERE / name) for name in SUITES if (HERE / name).exists())],
        cwd=HERE.parent, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
