"""What a hub must do, once more with other versions of the official client, which are in separate folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEWEST, LOWEST = (Path(sys.prefix) / name for name in ("hub1", "hub-lowest"))
HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("folder", "version", "suites"),
    [
        pytest.param(
            NEWEST, "1.33.", ["hub/test_hub_contract.py", "publish/test_publish_faults.py"],
            marks=pytest.mark.long, id="newest",
        ),
        pytest.param(LOWEST, "1.29.", ["hub/test_hub_contract.py"], id="lowest"),
    ],
)
def test_the_same_suites_with_version_1(
    folder: Path, version: str, suites: list[str], tmp_path: Path
) -> None:
    if not folder.is_dir() and "CI" not in os.environ:
        pytest.skip("version 1 of the client is not installed; run: make environment")
    # The client's own dependencies are next to the newest version.
    path = os.pathsep.join((str(folder), str(NEWEST), str(HERE.parents[1]), os.environ["PYTHONPATH"]))
    environment = {**os.environ, "PYTHONPATH": path}
    asked = [sys.executable, "-c", "import huggingface_hub; print(huggingface_hub.__version__)"]
    found = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout
    assert found.startswith(version)
    options = ["-q", "-x", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(HERE.parent / name) for name in suites)],
        cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
