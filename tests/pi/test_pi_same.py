"""The comparison of two builds of the Debian packages: released only if both are the same."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import githubapi
import pytest
import workflowfiles
from githubreleases import Releases, environment
from llamaserver import compiled, compiling

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts/pi"


def run(*words: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "same.py"), *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a_arm64.deb").write_bytes(b"arm")
        (tmp_path / name / "a_amd64.deb").write_bytes(b"amd")
    return tmp_path / "first", tmp_path / "second"


def test_equal_builds_are_kept(builds: tuple[Path, Path], tmp_path: Path) -> None:
    done = run(*builds, tmp_path / "dist")
    assert done.returncode == 0 and f"{hashlib.sha256(b'arm').hexdigest()}  a_arm64.deb" in done.stdout
    assert sorted(path.name for path in (tmp_path / "dist").iterdir()) == ["a_amd64.deb", "a_arm64.deb"]


@pytest.mark.parametrize("damage", ["other bytes", "one is missing", "one more", "nothing"])
def test_builds_that_differ_are_not_released(damage: str, builds: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = builds
    if damage == "other bytes":
        (second / "a_arm64.deb").write_bytes(b"ARM")
    elif damage == "one is missing":
        (second / "a_arm64.deb").unlink()
    elif damage == "one more":
        (second / "b_arm64.deb").write_bytes(b"arm")
    else:
        for path in (*first.iterdir(), *second.iterdir()):
            path.unlink()
    done = run(first, second, tmp_path / "dist")
    assert done.returncode == 1 and done.stderr.startswith(("a_arm64", "b_arm64", "same:"))
    assert not (tmp_path / "dist").exists()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_two_real_packages_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    for name in ("first", "second"):
        words = ["package.py", "arm64", "--out", str(tmp_path / name), "--programs", str(tmp_path / "programs")]
        subprocess.run([sys.executable, str(SCRIPTS / words[0]), *words[1:]], check=True, capture_output=True)
    assert run(tmp_path / "first", tmp_path / "second", tmp_path / "dist").returncode == 0


@pytest.mark.parametrize("architecture", ["arm64", "amd64"])
def test_the_jobs_of_the_workflow_build_the_same_package_and_publish_it(architecture: str, tmp_path: Path) -> None:
    """The steps of the workflow in order, in two clones with an empty HOME each. make pi compiles arm64; the compile
    itself is the same for both here. GitHub's own action attests, so its file is any here."""
    if shutil.which("dpkg-deb") is None or compiled(architecture) is None:
        pytest.skip(f"not compiled here: python3 scripts/pi/compile.py {architecture}")
    build, compare, _, publish = workflowfiles.jobs("program-deb").values()
    install, *packages = workflowfiles.runs(build)
    tools = without_administrator(tmp_path / "tools")
    for name in build["strategy"]["matrix"]["copy"]:
        runner = workflowfiles.Runner(tmp_path / f"runner-{name}", tools, PI_ZOO_CACHE=str(compiling.cache()))
        clone = tmp_path / f"clone-{name}"
        subprocess.run(["git", "clone", "-q", str(workflowfiles.REPOSITORY), str(clone)], check=True)
        (command,) = [one for one in packages if architecture in one]
        for step in (install, f"umask {'077' if name == 'first' else '022'}; {command}"):
            done = runner.run(step, clone)
            assert done.returncode == 0, done.stdout + done.stderr
        shutil.move(clone / "dist", tmp_path / name)
    shutil.copytree(SCRIPTS.parent, tmp_path / "scripts")
    (command,) = workflowfiles.runs(compare)
    done = runner.run(command, tmp_path)
    (package,) = (tmp_path / "dist").glob(f"*_{architecture}.deb")
    assert done.returncode == 0 and len(packages) == 2, done.stderr
    (tmp_path / "attestation").mkdir()
    (tmp_path / "attestation/bundle.jsonl").write_text("{}\n", encoding="utf-8")
    github = Releases([package.name, "bundle.jsonl", "SHA256SUMS"])
    (command,) = workflowfiles.runs(publish)
    with githubapi.serving(github):
        done = runner.run(command, tmp_path, **environment(github, "pi-zoo-runtime-1.0.0"))
    assert done.returncode == 0, done.stderr
    (release,) = github.releases
    found = {one["name"]: github.contents[one["id"]] for one in release["assets"]}
    assert not release["draft"] and found[package.name] == package.read_bytes()


def without_administrator(folder: Path) -> Path:
    """Programs that run a step as this user and install nothing: what is missing is then named, and skipped."""
    folder.mkdir()
    for name, line in (("sudo", 'exec "$@"'), ("apt-get", "exit 1")):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder
