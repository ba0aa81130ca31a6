"""Commands of this Python's environment as sides of a comparison."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from zoo.errors import ZooError

# hf sometimes checks the network for a newer version of itself; that is not start-up time.
ENVIRONMENT = {**os.environ, "HF_HUB_DISABLE_UPDATE_CHECK": "1"}


def find(name: str) -> str:
    """The command next to this Python, else on the search path. Raises ZooError if there is none."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise ZooError(f"command {name} not found", remedy="Install the project with its hub extra")
    return found


def output(
    command: Sequence[str], cwd: Path | None = None, environment: Mapping[str, str] = ENVIRONMENT
) -> str:
    """stdout of a successful command. Otherwise raises ZooError with its last line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=cwd)
    if done.returncode:
        shown = " ".join([Path(command[0]).name, *command[1:]])
        words = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise ZooError(f"{shown} ended with code {done.returncode}: {words[0]}")
    return done.stdout
