"""Workflows of a zoo work in one that ``zoo init`` made, where the program is an installed wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import workflowfiles
from builtwheel import wheel
from packaging.requirements import Requirement
from test_installs import WHEELS, call, pytestmark
from workflowfiles import REPOSITORY, Runner

from zoo import __version__, extras
from zoo.__main__ import main

__all__ = ["pytestmark", "wheel"]

HOW_TO = sorted((REPOSITORY / "site/docs/how-to").glob("*.md"))
OF_THE_CLONE = re.compile(r"\.\[|-c constraints\.txt|\bmake\b|\btests/|\bscripts/(?!watch)|\bbenchmarks/")
"""What is only in a clone of the program."""
OF_A_ZOO = [name for name in workflowfiles.WORKFLOWS if name.startswith("zoo-")]


def blocks(page: Path) -> Iterator[str]:
    yield from re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", OF_A_ZOO)
def test_a_workflow_needs_nothing_of_the_clone(name: str) -> None:
    installed = []
    for job in workflowfiles.jobs(name).values():
        for run in workflowfiles.runs(job):
            assert not OF_THE_CLONE.search(run.replace(".github/scripts/", "")), run
            installed += [run] if "pip install" in run else []
    assert installed
    for run in installed:
        (quoted,) = re.findall(r"'(.+)'", run)
        wanted = Requirement(quoted)
        assert run.endswith(f"--find-links wheels '{quoted}'") and wanted.name == extras.DISTRIBUTION
        assert wanted.extras <= extras.table().keys() and wanted.specifier.contains(__version__)


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_commands_of_a_page_need_nothing_of_the_clone_unless_it_reports_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        before = text.partition(block)[0].rstrip().removesuffix("```").rstrip().splitlines()
        if OF_THE_CLONE.search(block.replace(".github/scripts/", "")):
            assert any("clone of this program" in line for line in before[-3:]), block


@pytest.fixture(scope="module")
def zoo(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo in git, with the wheel in it."""
    folder = tmp_path_factory.mktemp("zoo") / "zoo"
    assert main(["init", "--quiet", str(folder)]) == 0
    (folder / "wheels").mkdir()
    shutil.copy(wheel, folder / "wheels")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*AUTHOR, "commit", "-q", "-m", "A new zoo"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


AUTHOR = ["-c", "user.name=Someone", "-c", "user.email=someone@localhost"]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """With an environment for the program, as setup-python makes one."""
    folder = tmp_path_factory.mktemp("runner")
    call([sys.executable, "-m", "venv", folder / "venv"], folder)
    return Runner(folder, folder / "venv" / "bin", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(WHEELS))


def test_the_workflow_of_the_site_runs_in_a_zoo_of_its_own(zoo: Path, runner: Runner, tmp_path: Path) -> None:
    root = "/project/"
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(zoo), str(checkout)], check=True)
    for done in runner.job(workflowfiles.jobs("zoo-site")["build"], checkout):
        assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    built = checkout / "build" / "site"
    links = re.findall(r'(?:href|src)="([^"#]+)"', (built / "404.html").read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert len(local) > 20
    for link in local:
        assert link.startswith(root), link
        place = built / link.removeprefix(root)
        assert (place / "index.html" if place.is_dir() else place).is_file(), link
