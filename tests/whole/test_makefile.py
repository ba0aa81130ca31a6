"""The Makefile compiles llama.cpp again if the installed one is for another processor."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def environment(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """``make environment`` if the environment exists; its Python is ``python``, and its pip only records its calls."""
    pip = f'echo "$CMAKE_ARGS | $*" >> {folder}/pip.txt; touch {folder}/new'
    for name, commands in (("python", python), ("pip", pip)):
        (folder / name).write_text(f"#!/bin/sh\n{commands}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    command = ["make", "--old-file", f"{folder}/.ready", f"VENV={folder}", f"BIN={folder}", "environment"]
    (folder / ".ready").touch()
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def test_what_runs_here_is_left_alone(tmp_path: Path) -> None:
    done = environment(tmp_path, "exit 0")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "pip.txt").exists() and "Compiling" not in done.stdout


def test_what_was_compiled_for_another_processor_is_compiled_again(tmp_path: Path) -> None:
    done = environment(tmp_path, f'[ -f {tmp_path}/new ] || {{ echo "llama.cpp cannot run here: x"; exit 1; }}')
    assert done.returncode == 0, done.stderr
    assert "cannot run here" in done.stdout and "Compiling llama.cpp for this processor" in done.stdout
    (called,) = (tmp_path / "pip.txt").read_text(encoding="utf-8").splitlines()
    flags, _, words = called.partition(" | ")
    assert "-DGGML_NATIVE=ON" in flags
    # From the cache it would be the same wheel again.
    assert {"install", "--force-reinstall", "--no-cache-dir", "--no-deps", "llama-cpp-python"} <= set(words.split())


@pytest.mark.parametrize("python", ["exit 1", "kill -ILL $$"])
def test_what_still_does_not_run_stops_make(python: str, tmp_path: Path) -> None:
    done = environment(tmp_path, python)
    assert done.returncode != 0 and (tmp_path / "pip.txt").exists()


def test_a_wheel_is_built_without_the_environment_for_models(tmp_path: Path) -> None:
    """The package is pure Python: its builder is installed, and neither torch nor llama.cpp."""
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", f"VENV={tmp_path}/venv", "wheel"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    commands = done.stdout.splitlines()
    (installs,) = (line for line in commands if "pip install" in line)
    assert installs.split(" install ")[1] == "-q -c constraints.txt build hatchling"
    assert commands[-1].endswith("-m build --wheel --no-isolation") and "torch" not in done.stdout
