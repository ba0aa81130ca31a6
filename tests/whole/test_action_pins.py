"""scripts/actionpins.py finds a pin that is not its version's commit, asked of real git repositories."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/actionpins.py"


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=Someone", "-c", "user.email=someone@localhost"]
    done = subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, str]:
    """A repository of an action with three versions; the second is a tag with a message."""
    folder = tmp_path / "hub/actions/checkout"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    found = {}
    for version in ("v1.0.0", "v1.9.0", "v1.10.0"):
        git(folder, "commit", "-q", "--allow-empty", "-m", version)
        git(folder, "tag", *(["-a", "-m", "a message"] if version == "v1.9.0" else []), version)
        found[version] = git(folder, "rev-parse", "HEAD")
    return found


def run(tmp_path: Path, *pins: str) -> subprocess.CompletedProcess[str]:
    workflows = tmp_path / "workflows"
    workflows.mkdir(exist_ok=True)
    (workflows / "x.yml").write_text("".join(f"      - uses: {pin}\n" for pin in pins), encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(workflows)], capture_output=True, text=True, check=False,
        env={"ACTIONS_FROM": f"file://{tmp_path}/hub", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_right_pins_pass_and_newer_versions_are_named(tmp_path: Path, commits: dict[str, str]) -> None:
    done = run(tmp_path, *(f"actions/checkout@{commit} # {version}" for version, commit in commits.items()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(done.stdout.splitlines()) == [
        "actions/checkout v1.0.0: right; the newest is v1.10.0",
        "actions/checkout v1.10.0: right",
        "actions/checkout v1.9.0: right; the newest is v1.10.0",
    ]


def test_another_commit_an_unknown_version_and_a_lost_repository_fail(
    tmp_path: Path, commits: dict[str, str]
) -> None:
    done = run(tmp_path, f"actions/checkout@{commits['v1.0.0']} # v1.9.0")
    assert done.returncode == 1 and f"there it is {commits['v1.9.0']}" in done.stdout
    done = run(tmp_path, f"actions/checkout@{commits['v1.0.0']} # v7.0.0")
    assert done.returncode == 1 and "there it is no such version" in done.stdout
    done = run(tmp_path, f"actions/nowhere@{commits['v1.0.0']} # v1.0.0")
    assert done.returncode == 1 and "could not be found out" in done.stdout
    assert run(tmp_path).returncode == 1
