"""Workflows of the how-to pages work in a zoo that ``zoo init`` made, where the program is an installed wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bareinstall
import pytest
import yaml
from builtwheel import wheel
from packaging.requirements import Requirement
from test_installs import WHEELS, call, pytestmark

from zoo import __version__, extras
from zoo.__main__ import main

__all__ = ["pytestmark", "wheel"]

REPOSITORY = Path(__file__).parents[2]
HOW_TO = sorted((REPOSITORY / "site/docs/how-to").glob("*.md"))
OF_THE_CLONE = re.compile(r"\.\[|-c constraints\.txt|\bmake\b|\btests/|\bscripts/|\bbenchmarks/")
"""What is only in a clone of the program."""


def blocks(page: Path) -> Iterator[str]:
    yield from re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def workflows() -> dict[str, dict[str, Any]]:
    found = {}
    for page in HOW_TO:
        for block in blocks(page):
            if re.search(r"^jobs:", block, re.MULTILINE):
                (found[page.stem],) = yaml.safe_load(block)["jobs"].values()
    return found


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in job["steps"] if "run" in step]


def test_the_workflows_are_found() -> None:
    assert workflows().keys() == {"publish-from-ci", "publish-the-site", "watch-for-drift"}


@pytest.mark.parametrize("page", workflows())
def test_a_workflow_needs_nothing_of_the_clone(page: str) -> None:
    for step in steps(workflows()[page]):
        assert not OF_THE_CLONE.search(step["run"]), step
    (install,) = [step["run"] for step in steps(workflows()[page]) if step["run"].startswith("pip install")]
    (quoted,) = re.findall(r"'(.+)'", install)
    wanted = Requirement(quoted)
    assert install == f"pip install --find-links wheels '{quoted}'" and wanted.name == extras.DISTRIBUTION
    assert wanted.extras <= extras.table().keys() and wanted.specifier.contains(__version__)


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_commands_of_a_page_need_nothing_of_the_clone_unless_it_reports_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        before = text.partition(block)[0].rstrip().removesuffix("```").rstrip().splitlines()
        if OF_THE_CLONE.search(block):
            assert any("clone of this program" in line for line in before[-3:]), block


def test_the_workflow_of_the_site_runs_in_a_zoo_of_its_own(wheel: Path, tmp_path: Path) -> None:
    root = "/project/"
    job = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "User/Project"}
    zoo = tmp_path / "zoo"
    assert main(["init", "--quiet", str(zoo)]) == 0
    (zoo / "wheels").mkdir()
    shutil.copy(wheel, zoo / "wheels")
    call([sys.executable, "-m", "venv", tmp_path / "venv"], tmp_path)
    environment = {**bareinstall.environment(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
    environment["PATH"] = os.pathsep.join((str(tmp_path / "venv" / "bin"), os.environ["PATH"]))
    for step in steps(workflows()["publish-the-site"]):
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=zoo,
            env=environment | job,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
    built = zoo / "build" / "site"
    links = re.findall(r'(?:href|src)="([^"#]+)"', (built / "404.html").read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert len(local) > 20
    for link in local:
        assert link.startswith(root), link
        place = built / link.removeprefix(root)
        assert (place / "index.html" if place.is_dir() else place).is_file(), link
