"""Workflows of a zoo work in one that ``zoo init`` made, where the program is an installed wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
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
        before = re.sub(r"```\w*$", "", text.partition(block)[0].rstrip()).rstrip().splitlines()
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


GOOD = "good"
NAME = "smollm2-135m-instruct"


def _recipe(folder: Path, old: str = "", new: str = "") -> None:
    """A new recipe, which is valid but for one replacement."""
    text = (folder / "recipes" / f"{NAME}.yaml").read_text(encoding="utf-8")
    text = text.replace(f"name: {NAME}", "name: offered").replace("smollm2-135m-instruct-gguf", "offered-gguf")
    assert not old or old in text
    (folder / "recipes/offered.yaml").write_text(text.replace(old, new) if old else text, encoding="utf-8")


def _prompts(folder: Path) -> None:
    path = folder / "recipes/corpora/tutor/prompts.train.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"usr": "a"}\n', encoding="utf-8")


def _link(folder: Path) -> None:
    (folder / "recipes/offered.yaml").symlink_to("/etc/passwd")


def _catalog(folder: Path) -> None:
    (folder / "model_catalog.json").write_text('{"schema": "model-catalog/1", "models": [}', encoding="utf-8")


def _twin(folder: Path) -> None:
    text = (folder / "recipes" / f"{NAME}.yaml").read_text(encoding="utf-8")
    (folder / "recipes/twin.yaml").write_text(text.replace(f"name: {NAME}", "name: twin"), encoding="utf-8")


OFFERS: dict[str, tuple[Callable[[Path], None], str]] = {
    GOOD: (_recipe, ""),
    "an unknown key": (lambda folder: _recipe(folder, "zoo: 1\n", "zoo: 1\ntittle: x\n"), "recipes/offered.yaml"),
    "text that is not YAML": (lambda folder: _recipe(folder, "zoo: 1\n", "zoo: [1\n"), "recipes/offered.yaml"),
    "a damaged prompt file": (_prompts, "recipes/corpora/tutor/prompts.train.jsonl"),
    "a link out of the zoo": (_link, "recipes/offered.yaml"),
    "a damaged catalog": (_catalog, "model_catalog.json"),
    "a repository of another recipe": (_twin, "recipes/twin.yaml"),
}
"""Pull requests: what each changes, and the file that the check must name."""


@pytest.mark.parametrize("offer", OFFERS)
def test_the_check_of_a_pull_request(offer: str, zoo: Path, runner: Runner, tmp_path: Path) -> None:
    change, named = OFFERS[offer]
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(zoo), str(checkout)], check=True)
    change(checkout)
    for words in (["switch", "-q", "-c", "offer"], ["add", "-A"], [*AUTHOR, "commit", "-q", "-m", offer]):
        subprocess.run(["git", *words], cwd=checkout, check=True)
    runner.summary.unlink(missing_ok=True)
    job = workflowfiles.jobs("zoo-check")["recipes"]
    done = runner.job(job, checkout)
    summary = runner.summary.read_text(encoding="utf-8")
    if offer == GOOD:
        assert [one.returncode for one in done] == [0] * len(workflowfiles.runs(job)), done[-1].stderr
        assert "no problems" in summary
        for name in ("report", "preview"):
            for step in runner.job(workflowfiles.jobs("zoo-report")[name], checkout):
                assert step.returncode == 0, step.stdout + step.stderr
        report = (checkout / "report.md").read_text(encoding="utf-8")
        assert "**Next: a maintainer**" in report and "recipes/offered.yaml" in report
        assert report in runner.summary.read_text(encoding="utf-8")
        assert (checkout / "build/site/index.html").is_file()
        return
    *_, last = done
    assert last.returncode == 2 and last.args[-1] == "zoo check --format github"
    assert f"::error file={named}" in last.stdout and named in summary and "zoo check" in summary
    assert "root:" not in last.stdout + summary  # nothing of the file that a link leads to


def test_the_jobs_of_this_repository_that_check_recipes(tmp_path: Path) -> None:
    """All but the installation: the environment of the tests has the program."""
    runner = Runner(tmp_path, Path(sys.executable).parent)
    for job in workflowfiles.jobs("program-check").values():
        install, *others = workflowfiles.runs(job)
        assert install == "pip install -c constraints.txt ." and others
        for command in others:
            done = runner.run(command, REPOSITORY)
            picture = done.stdout.count("differs from") == done.stdout.count("Run: make picture") == 1
            assert done.returncode == 0 or (done.returncode == 3 and picture), done.stdout + done.stderr
