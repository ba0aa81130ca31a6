"""What ``make demo`` runs: the first release and its site are there before the second begins, and stay if it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tinyzoo

for module in ("torch", "llama_cpp", "mkdocs", "material"):
    pytest.importorskip(module)

SCRIPT = Path(__file__).parents[2] / "scripts" / "demo.sh"
ZOO = Path(sys.executable).with_name("zoo")


def start(folder: Path, zoo: Path, *recipes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", str(SCRIPT), str(folder), str(zoo), *recipes],
        env=tinyzoo.environment(),
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, zoo: Path, *recipes: str) -> tuple[int, str]:
    process = start(folder, zoo, *recipes)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


@pytest.mark.long
def test_the_first_release_stays_when_a_gate_refuses_the_second(tmp_path: Path) -> None:
    zoo = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tinyzoo.write_recipe(zoo, tinyzoo.smallest_recipe(zoo))
    gate = {"metric": "kld_mean_nats", "at_most": -1.0}
    second = tinyzoo.smallest_recipe(zoo, "second")
    tinyzoo.write_recipe(zoo, {**second, "gates": [gate]})
    code, said = run(zoo, ZOO, "plain", "second")
    assert code == 3, said
    ready, made = said.index("plain is released, and the site is built."), said.index("Releasing second")
    assert ready < made
    assert f"cd {zoo} && {ZOO} site serve" in said[ready:made] and f"cd {zoo} && {ZOO} site serve" in said[made:]
    assert "Released: plain\n" in said and "second is not released (exit code 3)" in said
    assert said.endswith("To continue, run the same command again: make demo\n")
    assert "plain" in (zoo / "build/site/index.html").read_text(encoding="utf-8")

    tinyzoo.write_recipe(zoo, second)
    code, said = run(zoo, ZOO, "plain", "second")
    assert code == 0, said
    assert "Released: plain second\n" in said and "did not finish" not in said
    assert "second" in (zoo / "build/site/index.html").read_text(encoding="utf-8")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """A program instead of ``zoo`` that runs these shell commands; $1 is the command's name, $2 the recipe."""

    def write(commands: str) -> Path:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{commands}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    (tmp_path / "zoo").mkdir()
    return write


def test_when_the_first_fails_nothing_is_said_to_be_there(program: Callable[[str], Path], tmp_path: Path) -> None:
    code, said = run(tmp_path / "zoo", program('[ "$1" != release ] || exit 1'), "first", "second")
    assert code == 1
    assert "Nothing is released yet." in said and "site serve" not in said and "Releasing second" not in said
    assert "first is not released (exit code 1)" in said and "make demo" in said


def test_when_the_site_fails_the_release_is_named_without_a_site(
    program: Callable[[str], Path], tmp_path: Path
) -> None:
    code, said = run(tmp_path / "zoo", program('[ "$1" != site ] || exit 2'), "first", "second")
    assert code == 2
    assert "Released: first\n" in said and "site serve" not in said and "the site is not built" in said


@pytest.mark.parametrize("reaction", ["exit 130", "exit 0"])
def test_after_ctrl_c_the_words_are_the_same(
    reaction: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    waits = f"trap '{reaction}' INT; [ \"$2\" != second ] || {{ echo waiting; while :; do sleep 0.05; done; }}"
    process = start(tmp_path / "zoo", program(waits), "first", "second")
    assert process.stdout
    said = ""
    deadline = time.monotonic() + 30
    while "waiting" not in said and time.monotonic() < deadline:
        said += process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Released: first\n" in rest and "site serve" in rest
    assert "second is not released (exit code 130)" in rest and "make demo" in rest
