"""Workflows of a zoo work in one that ``zoo init`` made, where the program is an installed wheel."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import zipfile
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

COMMENT = runpy.run_path(str(workflowfiles.PARTS / "scripts/comment.py"))
HOW_TO = sorted((REPOSITORY / "site/docs/how-to").glob("*.md"))
OF_THE_CLONE = re.compile(r"\.\[|-c constraints\.txt|\bmake\b|\btests/|\bscripts/(?!watch)|\bbenchmarks/")
"""What is only in a clone of the program."""
OF_A_ZOO = [name for name in workflowfiles.WORKFLOWS if name.startswith("zoo-")]


def blocks(page: Path) -> Iterator[str]:
    yield from re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", OF_A_ZOO)
def test_a_workflow_needs_nothing_of_the_clone(name: str) -> None:
    installed = list[str]()
    for job in workflowfiles.jobs(name).values():
        for run in workflowfiles.runs(job):
            assert not OF_THE_CLONE.search(run.replace(".github/scripts/", "")), run
            installed += [run] if "pip install" in run else []
    assert installed or name == "zoo-comment"
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


GOOD, CORPUS = "good", "a corpus"
FINE = (GOOD, CORPUS)
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


def _corpus(folder: Path) -> None:
    """A recipe with a corpus of its own, and one prompt more in another corpus."""
    _recipe(folder)
    own = folder / "recipes/corpora/offered/prompts.train.jsonl"
    own.parent.mkdir()
    lines = [f'{{"user": "How many legs do {n} cats have?", "tags": ["lang:en", "topic:t{n % 3}"]}}' for n in range(9)]
    own.write_text("\n".join([*lines, ""]), encoding="utf-8")
    path = folder / "recipes/corpora/tutor/prompts.train.jsonl"
    more = '{"user": "Name a bird that cannot fly.", "tags": ["lang:en", "topic:facts"]}\n'
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")


def _link(folder: Path) -> None:
    (folder / "recipes/offered.yaml").symlink_to("/etc/passwd")


def _catalog(folder: Path) -> None:
    (folder / "model_catalog.json").write_text('{"schema": "model-catalog/1", "models": [}', encoding="utf-8")


def _twin(folder: Path) -> None:
    text = (folder / "recipes" / f"{NAME}.yaml").read_text(encoding="utf-8")
    (folder / "recipes/twin.yaml").write_text(text.replace(f"name: {NAME}", "name: twin"), encoding="utf-8")


OFFERS: dict[str, tuple[Callable[[Path], None], str]] = {
    GOOD: (_recipe, ""),
    CORPUS: (_corpus, ""),
    "an unknown key": (lambda folder: _recipe(folder, "zoo: 1\n", "zoo: 1\ntittle: x\n"), "recipes/offered.yaml"),
    "text that is not YAML": (lambda folder: _recipe(folder, "zoo: 1\n", "zoo: [1\n"), "recipes/offered.yaml"),
    "a damaged prompt file": (_prompts, "recipes/corpora/tutor/prompts.train.jsonl"),
    "a link out of the zoo": (_link, "recipes/offered.yaml"),
    "a damaged catalog": (_catalog, "model_catalog.json"),
    "a repository of another recipe": (_twin, "recipes/twin.yaml"),
}
"""Pull requests: what each changes, and the file that the check must name."""


def offered(offer: str, repository: Path, checkout: Path) -> tuple[Path, str]:
    """A checkout of a pull request to a repository, and what its check names."""
    change, named = OFFERS[offer]
    subprocess.run(["git", "clone", "-q", str(repository), str(checkout)], check=True)
    change(checkout)
    for words in (["switch", "-q", "-c", "offer"], ["add", "-A"], [*AUTHOR, "commit", "-q", "-m", offer]):
        subprocess.run(["git", *words], cwd=checkout, check=True)
    return checkout, named


QUICK = (GOOD, "a link out of the zoo")
"""Those that make test tries on this repository, too; the others by make long."""


@pytest.mark.parametrize("offer", [pytest.param(CORPUS, marks=pytest.mark.long), *sorted(OFFERS.keys() - {CORPUS})])
def test_the_check_of_a_pull_request(offer: str, zoo: Path, runner: Runner, tmp_path: Path) -> None:
    checkout, named = offered(offer, zoo, tmp_path / "checkout")
    runner.summary.unlink(missing_ok=True)
    job = workflowfiles.jobs("zoo-check")["recipes"]
    done = runner.job(job, checkout)
    summary = runner.summary.read_text(encoding="utf-8")
    reported = runner.job(workflowfiles.jobs("zoo-report")["report"], checkout)
    report = (checkout / "report.md").read_text(encoding="utf-8")
    assert report in runner.summary.read_text(encoding="utf-8") and COMMENT["judged"](report) == report
    kept = {"starter"} if "prompt" in offer else {"starter", "tutor"}  # a damaged corpus has no card
    kept |= {"offered"} if offer == CORPUS else set()
    assert {path.name for path in (checkout / "build/cards").iterdir()} == kept
    if offer in FINE:
        for step in (*done, *reported, *runner.job(workflowfiles.jobs("zoo-report")["preview"], checkout)):
            assert step.returncode == 0, step.stdout + step.stderr
        assert len(done) == len(workflowfiles.runs(job)) and "no problems" in summary
        assert "**Next: a maintainer**" in report and "recipes/offered.yaml" in report
        assert (checkout / "build/site/index.html").is_file()
        return
    *_, last = done
    assert last.returncode == 2 and last.args[-1] == "zoo check --format github"
    assert f"::error file={named}" in last.stdout and named in summary and "zoo check" in summary
    assert reported[-1].returncode == 3 and COMMENT["ASKS"] in report and f"{named}:" in report
    # Nothing of the file that a link leads to.
    assert "root:" not in last.stdout + summary + report


def test_the_notes_of_a_zoo(zoo: Path, runner: Runner, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", str(zoo), str(tmp_path / "checkout")], check=True)
    for done in runner.job(workflowfiles.jobs("zoo-notes")["notes"], tmp_path / "checkout"):
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "checkout/notes.md").read_text(encoding="utf-8").startswith("# Notes for ")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as a fresh clone; what is not committed yet is committed there."""
    folder = tmp_path_factory.mktemp("clone") / "program"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(folder)], check=True)
    listed = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    commit = [*AUTHOR, "commit", "-q", "--allow-empty", "-m", "Now"]
    for words in (["switch", "-q", "-C", "main"], ["add", "-A"], commit):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    "offer", [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in OFFERS]
)
def test_a_pull_request_to_this_repository(offer: str, clone: Path, tmp_path: Path) -> None:
    """The jobs that judge recipes, with no package of the environment but those that the job installs. A recipe or a
    corpus must be all that somebody has to send: derived files agree without another command."""
    checkout, named = offered(offer, clone, tmp_path / "checkout")
    codes = {}
    checks, reports = workflowfiles.jobs("program-check"), workflowfiles.jobs("program-report")
    for job in (checks["recipes"], reports["report"], *([checks["derived"]] if offer in FINE else [])):
        install, command = workflowfiles.runs(job)
        folder = tmp_path / str(len(codes))
        done = Runner(folder, workflowfiles.tools(tmp_path / f"tools-{len(codes)}", install)).run(command, checkout)
        codes[" ".join(command.split()[:2])] = done.returncode
        assert "Traceback" not in done.stderr and (offer in FINE or named in done.stdout), done.stdout + done.stderr
        if "Run: make picture" in done.stdout and done.stdout.count("Run: ") == 1:
            codes["zoo sync"] = 0  # the picture of the README may be some commits old: it needs a browser
    report = (checkout / "report.md").read_text(encoding="utf-8")
    assert COMMENT["judged"](report) == report and "root:" not in report
    fine = {"zoo check": 0, "zoo review": 0, "zoo sync": 0}
    assert codes == (fine if offer in FINE else {"zoo check": 2, "zoo review": 3}), done.stdout


@pytest.mark.long
def test_the_preview_of_a_pull_request_to_this_repository(clone: Path, tmp_path: Path) -> None:
    checkout, _ = offered(GOOD, clone, tmp_path / "checkout")
    install, build = workflowfiles.runs(workflowfiles.jobs("program-report")["preview"])
    done = Runner(tmp_path / "runner", workflowfiles.tools(tmp_path / "tools", install)).run(build, checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    roadmap = (checkout / "build/site/explanation/roadmap/index.html").read_text(encoding="utf-8")
    assert "zoo release offered" in roadmap


def test_every_job_of_a_pull_request_is_run_here() -> None:
    """By the tests of this file; what runs the tests themselves is only tried by make."""
    mine = {(name, job) for name in workflowfiles.WORKFLOWS for job in workflowfiles.jobs(name)
            if "pull_request" in workflowfiles.load(name)["on"]}  # fmt: skip
    both = {(f"{place}-{one}", job) for place in ("program", "zoo") for one, job in
            (("check", "recipes"), ("report", "report"), ("report", "preview"))}  # fmt: skip
    assert mine == both | {("program-check", "derived"), *(("program-test", job) for job in ("style", "test", "tiers"))}


@pytest.mark.long
def test_the_packages_of_a_release_hold_the_same(clone: Path, tmp_path: Path) -> None:
    """The sdist, from which some install, gives the files of the wheel."""
    runner = Runner(tmp_path / "runner", Path(sys.executable).parent)
    install, build = workflowfiles.runs(workflowfiles.jobs("program-release")["build"])
    assert install.startswith("pip install ")
    done = runner.run(build, clone)
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = (clone / "dist").glob("*.whl"), (clone / "dist").glob("*.tar.gz")
    words = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", tmp_path, sdist]
    call([sys.executable, *words], tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / wheel.name) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
        assert all(one.read(name) == other.read(name) for name in one.namelist())


def test_what_the_jobs_with_tests_run_is_there(clone: Path, tmp_path: Path) -> None:
    """The tests cannot run themselves, so make only says what it would run, in a clone with an empty HOME."""
    runner = Runner(tmp_path / "runner", tmp_path)
    for job in workflowfiles.jobs("program-test").values():
        for command in workflowfiles.runs(job):
            done = runner.run(f"{command} --dry-run", clone)
            assert done.returncode == 0 and "python" in done.stdout, done.stderr
