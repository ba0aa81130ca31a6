"""The jobs of a zoo's release that publish and record, and the issue of the nightly watch: real scripts, a git remote,
and a program ``gh`` that keeps pull requests and issues in a file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import workflowfiles
from builtwheel import wheel
from faultserver import Fault, FaultServer
from publishsamples import complete_release, write_record
from test_installs import pytestmark
from trustedexchange import IDENTITY, Exchange, in_github
from workflowfiles import Killer, Runner

from catalog import index
from zoo.__main__ import main
from zoo.hub import FolderHub
from zoo.hub.server import Access, HubServer
from zoo.hub.server.access import _digest

__all__ = ["pytestmark", "wheel"]

NAME = "smollm2-135m-instruct"
GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
place = pathlib.Path(os.environ["GH_STATE"])
state = json.loads(place.read_text()) if place.exists() else {"calls": 0, "pr": [], "issue": []}
state["calls"] += 1
fails = state["calls"] == int(os.environ.get("GH_FAILS", "0"))
kind, act, *rest = sys.argv[1:]
options = dict(zip(rest[::2], rest[1::2])) if act != "edit" else dict(zip(rest[1::2], rest[2::2]))
assert os.environ["GH_TOKEN"] == "job-token"
if not fails and act == "create":
    state[kind].append({"title": options["--title"], "body": options["--body"], "head": options.get("--head")})
if not fails and act == "edit":
    state[kind][int(rest[0]) - 1]["body"] = options["--body"]
if not fails and act == "list" and state[kind]:
    print(1)
place.write_text(json.dumps(state))
sys.exit(fails)
"""


COUNTED = """#!/bin/sh
# Runs a program, and kills the step that asked for it before or after the one with this number.
number=$(($(cat "$STEPS" 2>/dev/null || echo 0) + 1))
echo "$number" > "$STEPS"
test "$number before" != "$KILL" || kill -9 0
{program} "$@"
code=$?
test "$number after" != "$KILL" || kill -9 0
exit "$code"
"""
"""KILL: such as ``3 before``. A step has a group of processes of its own, and all of it ends."""


@pytest.fixture
def zoo(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo in git with a release that another machine built, and the program in the folder ``publisher``."""
    folder = tmp_path / "zoo"
    assert main(["init", "--quiet", str(folder)]) == 0
    release = complete_release(folder, words="Download it from local/smollm2-135m-instruct-gguf.\n")
    text = (folder / "recipes" / f"{NAME}.yaml").read_bytes()
    recipe = dataclasses.replace(
        release.release.recipe, text=text.decode(), sha256=hashlib.sha256(text).hexdigest()
    )
    of_recipe = dataclasses.replace(release.release, recipe=recipe)
    write_record(dataclasses.replace(release, key="of another machine", release=of_recipe), release.folder)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "publisher")
    with_remote(folder, "recipes", "model_catalog.json", "zoo.toml", ".github", ".gitignore")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """What the job ``record`` has of a zoo, with something to record."""
    folder = tmp_path / "zoo"
    shutil.copytree(workflowfiles.PARTS / "scripts", folder / ".github/scripts")
    (folder / "model_catalog.json").write_text("{}\n")
    with_remote(folder, "model_catalog.json", ".github")
    (folder / "model_catalog.json").write_text('{"models": []}\n')
    (folder / "site/evidence").mkdir(parents=True)
    (folder / "site/evidence/measured.json").write_text("{}\n")
    return folder


def with_remote(folder: Path, *added: str) -> None:
    """Make the folder a clone of ``remote.git`` next to it."""
    remote = str(folder.parent / "remote.git")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", *added)
    git(folder, "commit", "-q", "-m", "A new zoo")
    git(folder.parent, "clone", "-q", "--bare", str(folder), remote)
    git(folder, "remote", "add", "origin", remote)


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=Someone", "-c", "user.email=someone@localhost"]
    done = subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in {
        "gh-itself": GH, "gh": COUNTED.format(program=tools / "gh-itself"),
        "git": COUNTED.format(program=shutil.which("git")),
        "python3": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
    }.items():  # fmt: skip
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return Runner(
        tmp_path / "runner", tools, RECIPE=NAME, ZOO_HUB="build/hub", ZOO_NAMESPACE="local", GH_TOKEN="job-token",
        GH_STATE=str(tmp_path / "gh.json"), STEPS=str(tmp_path / "steps"), KILL="",
    )  # fmt: skip


def checkout(zoo: Path, folder: Path) -> Path:
    """What the job ``record`` starts with: main, and the record that the job before handed over."""
    git(zoo.parent, "clone", "-q", str(zoo.parent / "remote.git"), str(folder))
    shutil.copyfile(zoo / "model_catalog.json", folder / "model_catalog.json")
    shutil.copytree(zoo / "site/evidence", folder / "site/evidence", dirs_exist_ok=True)
    return folder


def state(tmp_path: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = json.loads((tmp_path / "gh.json").read_text())
    return found


def step(job: str) -> str:
    (command,) = workflowfiles.runs(workflowfiles.jobs("zoo-release")[job])
    return command


def test_a_release_of_another_machine_needs_its_option_and_the_same_recipe(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", NAME]) == 1 and "is not built" in capsys.readouterr().err
    assert main(["publish", NAME, "--as-built", "--namespace", "someone-else"]) == 1
    recipe = zoo / "recipes" / f"{NAME}.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(f"{text}# another word\n", encoding="utf-8")
    assert main(["publish", NAME, "--as-built"]) == 1
    recipe.write_text(text, encoding="utf-8")
    assert main(["publish", "--all", "--as-built"]) == 2


def test_the_job_that_signs_refuses_without_an_identity(zoo: Path, runner: Runner) -> None:
    """With one, Sigstore would sign, which tests cannot reach."""
    done = runner.run(step("sign"), zoo)
    assert done.returncode == 1 and "id-token: write" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not list((zoo / "build/releases").rglob("model.sig"))


def test_publish_then_record_and_again(zoo: Path, runner: Runner, tmp_path: Path) -> None:
    for _ in range(2):
        done = runner.run(step("publish"), zoo)
        assert done.returncode == 0, done.stdout + done.stderr
    catalog, problems = index.parse((zoo / "model_catalog.json").read_text(encoding="utf-8"), "catalog")
    assert not problems and catalog.model(NAME)
    for fails in range(1, 8):
        # gh fails at its first, second, ... call; the next run continues.
        runner.run(step("record"), checkout(zoo, tmp_path / f"checkout-{fails}"), GH_FAILS=str(fails))
    done = runner.run(step("record"), checkout(zoo, tmp_path / "last"))
    assert done.returncode == 0, done.stdout + done.stderr
    recorded(zoo, tmp_path)


def recorded(zoo: Path, tmp_path: Path) -> None:
    """One pull request, whose branch has the record and nothing else."""
    (pull,) = state(tmp_path)["pr"]
    assert pull["head"] == f"record-{NAME}" and pull["title"] == f"Record the release of {NAME}"
    remote = tmp_path / "remote.git"
    assert (
        git(remote, "show", f"record-{NAME}:model_catalog.json") == (zoo / "model_catalog.json").read_text()
    )
    changed = git(remote, "diff", "--name-only", "main", f"record-{NAME}").split()
    assert changed and all(
        path == "model_catalog.json" or path.startswith("site/evidence/") for path in changed
    )


COMMANDS = 10
"""Of the step that records: seven of git and three of gh."""
QUICK = f"{COMMANDS} after"
"""The only kill of make test: the pull request is there, and the step does not know it."""


@pytest.mark.parametrize(
    "kill",
    [
        kill if kill == QUICK else pytest.param(kill, marks=pytest.mark.long)
        for number in range(1, COMMANDS + 1)
        for kill in (f"{number} before", f"{number} after")
    ],
)
def test_a_record_that_is_killed_is_completed_by_the_next_run(
    kill: str, published: Path, runner: Runner, tmp_path: Path
) -> None:
    """Before and after every program that the script runs; the next run is on a new machine."""
    done = runner.run(step("record"), checkout(published, tmp_path / "first"), KILL=kill)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (tmp_path / "steps").unlink()
    done = runner.run(step("record"), checkout(published, tmp_path / "second"))
    assert done.returncode == 0, done.stdout + done.stderr
    recorded(published, tmp_path)
    assert (tmp_path / "steps").read_text(encoding="utf-8").split() == [str(COMMANDS - (kill == QUICK))]


def test_the_job_publishes_with_its_identity_and_without_a_token(zoo: Path, runner: Runner, tmp_path: Path) -> None:
    """Against a real hub that requires tokens, with the exchange before it; a first run has no identity."""
    pytest.importorskip("huggingface_hub._oidc")
    tokens = {f"{kind}local/{NAME}-{end}": f"jwt-{end}-0123456789"
              for kind, end in (("", "gguf"), ("datasets/", "prompts"))}  # fmt: skip
    access = Access({_digest(token): "write" for token in tokens.values()})
    server = HubServer(tmp_path / "hub", "127.0.0.1", 0, access)
    server.answer = exchange = Exchange(server, tokens)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    more = {"ZOO_HUB": server.address, "HF_ENDPOINT": server.address, "HF_HUB_OFFLINE": "0", "GH_TOKEN": "",
            "HF_OIDC_RESOURCE": f"local/{NAME}-gguf", **in_github(server.address)}  # fmt: skip
    try:
        refused = runner.run(step("publish"), zoo, **{**more, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""})
        assert refused.returncode == 2 and "no identity token" in refused.stderr, refused.stderr
        for _ in range(2):
            done = runner.run(step("publish"), zoo, **more)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        server.shutdown()
        server.server_close()
    assert set(exchange.asked) <= set(tokens) and exchange.used - {""} <= set(tokens.values()) and exchange.asked
    said = done.stdout + done.stderr + "".join(p.read_text(errors="replace") for p in zoo.rglob("*.json"))
    assert not any(secret in said for secret in (*tokens.values(), IDENTITY, "request-token"))
    catalog, problems = index.parse((zoo / "model_catalog.json").read_text(encoding="utf-8"), "catalog")
    assert not problems and catalog.model(NAME)


def test_a_release_that_is_recorded_opens_nothing(zoo: Path, runner: Runner, tmp_path: Path) -> None:
    (zoo / "site/evidence").mkdir(parents=True, exist_ok=True)
    (zoo / "site/evidence/kept").touch()
    git(zoo, "add", "-f", "site/evidence")
    git(zoo, "commit", "-q", "-m", "Evidence")
    done = runner.run(step("record"), zoo)
    assert done.returncode == 0 and "already has this release" in done.stdout
    assert not (tmp_path / "gh.json").exists()


@pytest.mark.long
def test_a_publication_that_is_killed_at_its_requests_is_completed_by_the_next_run(
    zoo: Path, runner: Runner, tmp_path: Path
) -> None:
    """Run after run, each killed one request later than the one before it, by turns before and after the hub has done
    what it asks, until one has no such request. Every kill from the beginning is in test_publish_kills.py."""
    server = HubServer(tmp_path / "hub", "127.0.0.1", 0, Access({}, anonymous_write=True))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    more = {"HF_ENDPOINT": server.address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "", "GH_TOKEN": ""}
    killed = 0
    with FaultServer(server.address) as proxy:
        while True:
            killer = Killer()
            kind = "call_after" if killed % 2 else "call"
            proxy.break_(Fault(kind, call=killer.strike), number=killed + 1)
            done = killer.run(runner, step("publish"), zoo, **{**more, "ZOO_HUB": proxy.address})
            proxy.heal()
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL and killed < 100, done.stderr
            killed += 1
    server.shutdown()
    server.server_close()
    assert killed >= 4  # to create, upload, commit and tag are requests of their own
    repo = FolderHub(tmp_path / "hub").repo("model", "local", f"{NAME}-gguf")
    refs = repo.refs()
    assert list(refs.branches) == ["main"] and refs.tags == {"v1.0.0": refs.branches["main"]}
    assert len(repo.history(refs.branches["main"], None)) == 1
    catalog, problems = index.parse((zoo / "model_catalog.json").read_text(encoding="utf-8"), "catalog")
    model = catalog.model(NAME)
    assert not problems and model and len(model.releases) == 1


@pytest.mark.parametrize("kill", [f"{number} {when}" for number in (1, 2) for when in ("before", "after")])
def test_a_watch_that_is_killed_leaves_one_issue(kill: str, published: Path, runner: Runner, tmp_path: Path) -> None:
    (command,) = workflowfiles.runs(workflowfiles.jobs("zoo-watch")["issue"])
    assert runner.run(command, published, KILL=kill).returncode == -signal.SIGKILL
    (tmp_path / "steps").unlink()
    assert runner.run(command, published, GITHUB_RUN_ID="78").returncode == 0
    (issue,) = state(tmp_path)["issue"]
    assert "actions/runs/78" in issue["body"]


def test_the_watch_keeps_one_issue(zoo: Path, runner: Runner, tmp_path: Path) -> None:
    (command,) = workflowfiles.runs(workflowfiles.jobs("zoo-watch")["issue"])
    for number in ("1", "2", "3"):
        done = runner.run(command, zoo, GITHUB_RUN_ID=number)
        assert done.returncode == 0, done.stderr
    (issue,) = state(tmp_path)["issue"]
    assert "https://github.com/User/Project/actions/runs/3" in issue["body"] and "zoo watch" in issue["body"]
