"""The workflows of this repository and those that a zoo gets, and running the steps of a job as GitHub does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bareinstall
import yaml

REPOSITORY = Path(__file__).parents[1]
OWN = REPOSITORY / ".github/workflows"
PARTS = REPOSITORY / "zoo/sync/parts"
WORKFLOWS = {
    f"{place}-{path.stem}": path
    for place, folder in (("program", OWN), ("zoo", PARTS / "workflows"))
    for path in sorted(folder.glob("*.yml"))
}
"""Every workflow by a short name."""


def load(name: str) -> dict[str, Any]:
    """A workflow as data. YAML 1.1 reads the key ``on`` as true; here it is ``on``."""
    found: dict[Any, Any] = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in found.items()}


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(name)["jobs"]
    return found


def runs(job: Mapping[str, Any]) -> list[str]:
    """The commands of a job, in order."""
    return [step["run"].strip() for step in job["steps"] if "run" in step]


ZOO = """#!{python}
import json, sys
sys.path.insert(0, {tests!r})
import everycommand
everycommand.hide(**json.loads({hidden!r}))
from zoo.__main__ import main
sys.exit(main())
"""


def tools(folder: Path, install: str) -> Path:
    """A new folder with a program ``zoo`` that has only the packages which a step installs: what a job forgets to
    install is missing here, too. install: such as ``pip install -c constraints.txt '.[site]'``."""
    found = re.fullmatch(r"pip install -c constraints\.txt (?:\.|'\.\[([\w,]+)\]')", install)
    assert found, install
    hidden = json.dumps(bareinstall.refused(*(found[1] or "").split(",")))
    folder.mkdir()
    text = ZOO.format(python=sys.executable, tests=str(REPOSITORY / "tests"), hidden=hidden)
    (folder / "zoo").write_text(text, encoding="utf-8")
    (folder / "zoo").chmod(0o755)
    return folder


class Step:
    """A step that runs, in a group of processes of its own, so that all of it can be killed."""

    def __init__(self, runner: Runner, command: str, cwd: Path, more: Mapping[str, str]) -> None:
        runner.summary.touch()
        runner.output.touch()
        self.process = subprocess.Popen(
            ["bash", "-e", "-c", command], cwd=cwd, env={**runner.environment, **more}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        """As GitHub ends the machine of a job: at once, and with everything that the step started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> subprocess.CompletedProcess[str]:
        """What it printed, once it has ended."""
        try:
            out, err = self.process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)


class Killer:
    """Runs steps that a server kills at one of their requests."""

    def __init__(self) -> None:
        self._started, self._step = threading.Event(), list[Step]()

    def strike(self) -> None:
        """Kill the step that runs. Its request may be there before it is known here."""
        assert self._started.wait(60)
        self._step[-1].kill()

    def run(self, runner: Runner, command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
        self._started.clear()
        self._step.append(Step(runner, command, cwd, more))
        self._started.set()
        return self._step[-1].end()


class Runner:
    """A runner without GitHub: no secret, an empty HOME, and files for the summary and for outputs."""

    def __init__(self, folder: Path, path: Path, **more: str) -> None:
        """folder: where HOME and these files are. path: a folder with programs that come first."""
        self.home, self.summary, self.output = (folder / name for name in ("home", "summary.md", "output"))
        self.home.mkdir(parents=True)
        kept = {
            name: value
            for name, value in bareinstall.environment().items()
            if not name.startswith(("GITHUB_", "GH_")) and "TOKEN" not in name and "SECRET" not in name
        }
        self.environment = {
            **kept,
            "HOME": str(self.home),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "User/Project",
            "GITHUB_RUN_ID": "77",
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
            "PATH": os.pathsep.join((str(path), os.environ["PATH"])),
            **more,
        }

    def run(self, command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """One step; GitHub runs it in the same way."""
        return Step(self, command, cwd, more).end()

    def job(self, job: Mapping[str, Any], cwd: Path) -> list[subprocess.CompletedProcess[str]]:
        """The steps of a job in order, up to the first that fails."""
        done = []
        for command in runs(job):
            done.append(self.run(command, cwd))
            if done[-1].returncode:
                break
        return done
