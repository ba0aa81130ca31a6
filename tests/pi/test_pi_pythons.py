"""``pi-zoo`` with the Pythons of Debian 12 and 13, without any installed package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import rangeserver
from boardsite import NAME, environment, write


def interpreter(version: str) -> str | None:
    """A Python of that version that runs; a version manager may have a name for one that is not chosen."""
    places = [
        shutil.which(f"python{version}"),
        "/usr/bin/python3",
        *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")),
    ]
    for place in filter(None, places):
        try:
            done = subprocess.run(
                [place, "--version"], capture_output=True, text=True, timeout=20, check=False
            )
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.startswith(f"Python {version}."):
            return place
    return None


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_the_standard_library_is_enough(tmp_path: Path, version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    with rangeserver.serving(write(tmp_path / "site")) as site:
        for arguments in (
            ("list", "--from", site.address, "--device", "pi-5-4gb"),
            ("recommend", "--device", "pi-zero-2"),
            ("pull", f"{NAME}:Q8_0", "--device", "pi-5-4gb"),
            ("verify",),
            ("remove", NAME),
            ("bench", "--help"),
        ):
            # -S: without site-packages.
            done = subprocess.run(
                [python, "-S", "-m", "pi_runtime", *arguments],
                env=environment(tmp_path / "home"),
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0 and done.stderr == "", (arguments, done.stderr)
