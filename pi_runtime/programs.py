"""The programs of llama.cpp on this machine: next to this package, in ``PI_ZOO_PROGRAMS``, or in the PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from pi_runtime.settings import CouldNot

VARIABLE = "PI_ZOO_PROGRAMS"
OWN = Path(__file__).resolve().parents[1]

INSTALL = (
    "{name} is not installed: install the package pi-zoo-runtime, or compile llama.cpp and set "
    + VARIABLE
    + " to the folder of its programs."
)


def find(name: str) -> Path:
    """The program. Raises CouldNot with what to install."""
    chosen = os.environ.get(VARIABLE)
    for folder in (Path(chosen) if chosen else None, OWN):
        path = folder / name if folder else None
        if path and path.is_file() and os.access(path, os.X_OK):
            return path
    found = shutil.which(name)
    if found is None:
        raise CouldNot(INSTALL.format(name=name))
    return Path(found)


def version(program: Path) -> str | None:
    """What llama.cpp's program says after ``version:``; None if it says nothing of the kind."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False, cwd="/")
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"^version:\s*(.{1,120})$", done.stdout + done.stderr, re.MULTILINE)
    return found[1].strip() if found else None
