"""A zoo that moves to another processor: keys say who made a step, and what was finished there is used here."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recipesamples import PLAIN, TUTORED

from catalog.checks import CheckedRecipe
from catalog.lock import Lock
from zoo.machine import processor
from zoo.machine.processor import Processor
from zoo.plan import plan
from zoo.plan.plan import Plan, World
from zoo.plan.store import Workspace
from zoo.stages.table import STAGES

WIDE = Processor("x86_64", "GenuineIntel", ("avx2", "avx512f"))
NARROW = Processor("x86_64", "GenuineIntel", ("avx2",))
BOARD = Processor("aarch64", "0x41 0xd0b", ("asimd",))


@pytest.fixture
def make(check_text: Callable[..., CheckedRecipe]) -> Callable[..., Plan]:
    def made(*processors: Processor, text: str = TUTORED, finished: set[str] | None = None) -> Plan:
        recipe = check_text(text, "tutored" if text == TUTORED else "plain").recipe
        assert recipe
        files = dict.fromkeys(plan.own_files(recipe), "f")
        world = World({}, files, 2, "cpu", processors, (finished or set()).__contains__)
        return plan.make(recipe, "r", Lock.empty(), world)

    return made


def keys(made: Plan) -> dict[str, str]:
    return {step.id: step.key for step in made.steps}


def after(made: Plan, stages: set[str]) -> set[str]:
    """Steps of these stages and all that are made from them."""
    found: set[str] = set()
    for step in made.steps:
        if step.stage in stages or found & set(step.inputs.values()):
            found.add(step.id)
    return found


@pytest.mark.parametrize("text", [PLAIN, TUTORED])
def test_only_steps_whose_bytes_depend_on_it_have_another_key(make: Callable[..., Plan], text: str) -> None:
    wide, narrow, board = (make(one, text=text) for one in (WIDE, NARROW, BOARD))
    summed = {stage for stage, row in STAGES.items() if row.sums}
    rounded = {stage for stage, row in STAGES.items() if row.roundings}
    assert {"label", "distill", "imatrix", "evaluate", "probe", "parity"} <= summed and rounded == {"quantize"}
    for other, stages in ((narrow, summed), (board, summed | rounded)):
        differ = {id_ for id_, key in keys(wide).items() if keys(other)[id_] != key}
        assert differ == after(wide, stages)
    assert "import/student" not in after(wide, summed | rounded)


def test_what_another_processor_finished_is_used_and_not_mixed(make: Callable[..., Plan]) -> None:
    there = make(WIDE)
    done = {there.step(id_).key for id_ in ("label", "distill")}
    here = make(NARROW, WIDE, finished=done)
    for id_ in ("label", "distill", "export"):
        assert here.step(id_).key == there.step(id_).key
    assert here.step("distill").processor == WIDE and here.step("evaluate").processor == NARROW
    assert here.step("import/student").processor is None
    # What both have finished is this machine's.
    both = done | {make(NARROW).step("label").key}
    assert make(NARROW, WIDE, finished=both).step("label").processor == NARROW
    assert keys(make(NARROW, WIDE)) == keys(make(NARROW))


def test_processors_of_a_work_folder(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    assert work.processors() == []
    for one in (WIDE, NARROW, WIDE):
        work.remember(one)
    assert sorted(work.processors(), key=str) == sorted([WIDE, NARROW], key=str)
    (tmp_path / "processors" / "x.json").write_text('{"machine": 1}', encoding="utf-8")
    (tmp_path / "processors" / "y.json").write_text("[1e999", encoding="utf-8")
    assert len(work.processors()) == 2


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A released zoo, on another processor than the one that released it."""
    pytest.importorskip("llama_cpp")
    pytest.importorskip("torch")
    import tinyzoo

    zoo = tmp_path / "moved"
    shutil.copytree(tinyzoo.released_zoo(tmp_path), zoo, symlinks=True)
    monkeypatch.setenv("ZOO_THREADS", "1")
    other = dataclasses.replace(processor.here(), maker="Another")
    assert other not in Workspace(zoo / "build/work").processors()
    real = processor.here
    for name, module in list(sys.modules.items()):
        if name.startswith("zoo.") and getattr(module, "here", None) is real:
            monkeypatch.setattr(module, "here", lambda: other)
    monkeypatch.chdir(zoo)
    return zoo


def test_a_zoo_that_moved(moved: Path, capsys: Any) -> None:
    from zoo.__main__ import main

    assert main(["release", "tutored"]) == 0, capsys.readouterr().err
    assert "was released before" in capsys.readouterr().out
    work, steps = moved / "build/work", {}
    record = moved / "build/releases/tutored/1.0.0/model/evidence/plan.json"
    for step in json.loads(record.read_text(encoding="utf-8"))["steps"]:
        steps[step["id"]] = step
    shutil.rmtree(moved / "build/releases")
    shutil.rmtree(work / steps["evaluate"]["key"])
    assert main(["build", "tutored"]) == 0
    said = capsys.readouterr().err
    assert "finished on another processor" in said and "distill" in said and "] evaluate done" in said
    assert "] distill done" not in said
    makers = {
        step["id"]: step["processor"]["maker"]
        for step in json.loads(record.read_text(encoding="utf-8"))["steps"]
        if "processor" in step
    }
    assert makers["evaluate"] == "Another" != makers["distill"]
    # It cannot be made again here under its key, so the next run makes its own.
    weights = work / steps["distill"]["key"] / "model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    shutil.rmtree(moved / "build/releases")
    for step in ("export", "evaluate"):
        shutil.rmtree(work / steps[step]["key"], ignore_errors=True)
    assert main(["build", "tutored"]) == 1
    said = capsys.readouterr().err
    assert "step distill was finished on another processor, and has been deleted or was damaged since" in said
    assert main(["build", "tutored"]) == 0
    assert "] distill done" in capsys.readouterr().err
