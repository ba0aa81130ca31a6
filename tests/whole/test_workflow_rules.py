"""Rules for every workflow, this repository's and those of a zoo: pinned, bounded, safe for forks, no logic in YAML."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workflowfiles
from workflowfiles import OWN, PARTS, REPOSITORY, WORKFLOWS

JOBS = [(name, job) for name in WORKFLOWS for job in workflowfiles.jobs(name)]
PINNED = re.compile(r"^\s*(?:- )?uses: ([\w./-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
COMMANDS = re.compile(
    r"((sudo )?make|zoo|pip install|python3? (-m (build|pip install)|(\.github/|zoo/sync/parts/)?scripts/)"
    r"|bash (\.github/)?scripts/)\b"
)
"""What a step may begin with: a command that people can run, too."""

INSTALLS = re.compile(r"pip install|\bmake\b|\bbuild\b|npm|zoo (release|build|converter)")
STRONG = {"id-token": "write", "contents": "write"}
AFTER = "workflow_run"
"""Starts a workflow with the rights of main after one that a stranger may have changed."""
EXCEPTIONS = {"program-comment": "dangerous-triggers", "zoo-comment": "dangerous-triggers"}
"""Findings of zizmor that are accepted, each with its reason in its line."""
SCRIPTS = [*(REPOSITORY / "scripts").glob("*.sh"), *(PARTS / "scripts").glob("*.sh"), REPOSITORY / ".ci/run"]


def job_of(name: str, job: str) -> dict[str, Any]:
    return workflowfiles.jobs(name)[job]


def uses(job: dict[str, Any]) -> Iterator[str]:
    yield from (step["uses"] for step in job["steps"] if "uses" in step)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_pinned_bounded_and_has_no_permission_of_its_own(name: str) -> None:
    found = workflowfiles.load(name)
    assert found["permissions"] == {} and set(found["concurrency"]) == {"group", "cancel-in-progress"}
    for line in WORKFLOWS[name].read_text(encoding="utf-8").splitlines():
        assert "uses:" not in line or PINNED.match(line), line
    for job in found["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 360 and job["name"] and job["runs-on"] == "ubuntu-24.04"
        assert job["permissions"] and all(step["name"] for step in job["steps"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_an_action_has_one_version_everywhere(name: str) -> None:
    every = {
        line for path in WORKFLOWS.values() for line in re.findall(r"uses: (\S+@\S+ # \S+)", path.read_text())
    }
    by_action: dict[str, set[str]] = {}
    for line in every:
        by_action.setdefault(line.partition("@")[0], set()).add(line)
    for used in re.findall(r"uses: (\S+)@", WORKFLOWS[name].read_text()):
        assert len(by_action[used]) == 1 and used.startswith("actions/")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_pull_request_from_a_fork_gets_nothing(name: str) -> None:
    found = workflowfiles.load(name)
    text = WORKFLOWS[name].read_text(encoding="utf-8")
    assert "pull_request_target" not in text and "secrets." not in text
    assert (AFTER in found["on"]) == (name in EXCEPTIONS)
    if "pull_request" in found["on"]:
        for job in found["jobs"].values():
            assert job["permissions"] == {"contents": "read"} and "environment" not in job
            assert "github.token" not in str(job) and not any("cache@" in one for one in uses(job))


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_what_runs_after_a_pull_request_only_reads_its_data(name: str) -> None:
    """Main's own script, with the standard library alone; nothing is installed, unpacked or checked out of the fork."""
    (job,) = workflowfiles.jobs(name).values()
    assert job["permissions"] == {"contents": "read", "actions": "read", "pull-requests": "write"}
    assert "vars.REPORT_COMMENT == 'on'" in job["if"] and "event == 'pull_request'" in job["if"]
    checkout, step = job["steps"]
    assert "actions/checkout@" in checkout["uses"] and set(checkout["with"]) == {"persist-credentials"}
    script = step["run"].removeprefix("python3 ").replace(".github/", "zoo/sync/parts/")
    tree = ast.parse((REPOSITORY / script).read_text(encoding="utf-8"))
    names = [one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
    names += [alias.name for one in ast.walk(tree) if isinstance(one, ast.Import) for alias in one.names]
    assert {one.partition(".")[0] for one in names} <= sys.stdlib_module_names
    assert not {"subprocess", "shutil", "tempfile"} & set(names)
    assert not re.search(r"\.extract|\.write|\bopen\(.*[\"']w", (REPOSITORY / script).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_that_may_write_or_has_an_identity_builds_nothing(name: str, job: str) -> None:
    found = job_of(name, job)
    strong = {key for key, value in found["permissions"].items() if value == "write"}
    if strong:
        assert not any(INSTALLS.search(run) for run in workflowfiles.runs(found)), "it installs or builds"
        assert not any("cache@" in one or "setup-" in one for one in uses(found))
        assert len(workflowfiles.runs(found)) <= 1
    if strong & STRONG.keys() and "pull-requests" not in strong and "attestations" not in strong:
        assert "environment" in found, "a person must approve it"
    for step in found["steps"]:
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_every_step_is_one_command_that_people_can_run(name: str, job: str) -> None:
    for run in workflowfiles.runs(job_of(name, job)):
        assert "\n" not in run and COMMANDS.match(run), run
        assert "${{" not in run and not re.search(r"&&|\|\||;|\||>", run), run
        for script in re.findall(r"(?:\.github/|zoo/sync/parts/)?scripts/[\w./-]+", run):
            place = (
                PARTS / script.removeprefix(".github/")
                if script.startswith(".github")
                else REPOSITORY / script
            )
            assert place.is_file(), script


@pytest.mark.parametrize("page", sorted((REPOSITORY / "site/docs").rglob("*.md")), ids=lambda path: path.stem)
def test_a_workflow_in_a_page_is_one_of_the_files(page: Path) -> None:
    """Blocks of YAML that could be a workflow of GitHub. Others, such as recipes, have no jobs and use no action."""
    files = {path.read_text(encoding="utf-8").strip() for path in WORKFLOWS.values()}
    for block in re.findall(r"^ *```ya?ml.*\n([\s\S]*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE):
        if re.search(r"^ *(- )?(uses|jobs|runs-on|permissions|on):", block, re.MULTILINE):
            assert block.strip() in files


def test_the_repository_runs_on_github_what_ci_runs() -> None:
    targets = re.findall(r"^make (\w+)$", (REPOSITORY / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    runs = [run for job in workflowfiles.jobs("program-test").values() for run in workflowfiles.runs(job)]
    assert runs == [f"make {target}" for target in targets] == ["make check", "make test", "make screens", "make tiers"]


def tool(name: str) -> str:
    """A checker of the environment."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None and "CI" not in os.environ:
        pytest.skip(f"{name} is not installed: make environment installs it")
    return found or name


def judged(*words: str | Path) -> None:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    """Also with its strictest persona, but for the exceptions that are named here with their reasons."""
    files = [*WORKFLOWS.values(), REPOSITORY / ".github/dependabot.yml", PARTS / "dependabot.yml"]
    judged(tool("zizmor"), "--offline", "--no-progress", "--persona", "pedantic", *files)
    for name, path in WORKFLOWS.items():
        found = re.findall(r"zizmor: ignore\[([\w-]+)\] (\w.{20,})", path.read_text(encoding="utf-8"))
        assert [rule for rule, _ in found] == ([EXCEPTIONS[name]] if name in EXCEPTIONS else [])
        assert path.read_text(encoding="utf-8").count("zizmor:") == len(found)


def test_actionlint_finds_nothing() -> None:
    judged(tool("actionlint"), *WORKFLOWS.values())


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", "workflows/*.yml"),
        ("custom.github-workflows-require-timeout", "workflows/*.yml"),
        ("vendor.dependabot", "dependabot.yml"),
        ("vendor.github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
        ("vendor.github-issue-config", "ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_the_schemas_accept_every_file(schema: str, pattern: str) -> None:
    files = [*OWN.parent.glob(pattern), *PARTS.glob(pattern)]
    if files:
        judged(tool("check-jsonschema"), "--builtin-schema", schema, *files)
    assert files or "ISSUE" in pattern


def test_shellcheck_finds_nothing() -> None:
    assert len(SCRIPTS) >= 5
    judged(tool("shellcheck"), *SCRIPTS)


@pytest.mark.parametrize(
    ("checker", "wrong"),
    [
        ("zizmor", "      - uses: actions/checkout@v4\n"),
        ("zizmor", "      - run: echo ${{ github.event.pull_request.title }}\n"),
        ("actionlint", "      - uses: actions/checkout@v4\n        with: {nothing: 1}\n"),
        ("check-jsonschema", "      - runs: make\n"),
    ],
)
def test_the_checkers_see_a_bad_workflow(checker: str, wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yml"
    text = WORKFLOWS["zoo-check"].read_text(encoding="utf-8")
    path.write_text(text.replace("    steps:\n", f"    steps:\n{wrong}", 1), encoding="utf-8")
    more = {
        "zizmor": ["--offline", "--no-progress"],
        "check-jsonschema": ["--builtin-schema", "vendor.github-workflows"],
    }
    done = subprocess.run(
        [tool(checker), *more.get(checker, []), str(path)], capture_output=True, check=False
    )
    assert done.returncode != 0
