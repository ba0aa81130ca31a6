"""One step of a plan as a file, for a machine that has neither the recipe nor the zoo's other files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import InputError
from zoo.machine.processor import from_record
from zoo.plan import engine, preflight, world
from zoo.plan.plan import Plan, Step
from zoo.progress import Reporter
from zoo.settings import Settings


class _Other(TypedDict):
    """A step of the plan: what is needed to find it."""

    id: str
    stage: str
    key: str


class _Given(TypedDict):
    name: str
    version: str
    steps: list[_Other]
    id: str
    spec: dict[str, object]
    inputs: dict[str, str]
    processor: dict[str, object] | None
    memory_bytes: int | None


def text(plan: Plan, id_: str, memory_bytes: int | None) -> str:
    """The step ``id_`` of a plan. memory_bytes: an estimate."""
    step = plan.step(id_)
    told = {
        "name": plan.name, "version": plan.version, "id": id_, "spec": step.spec, "inputs": step.inputs,
        "processor": asdict(step.processor) if step.processor else None, "memory_bytes": memory_bytes,
        "steps": [{"id": one.id, "stage": one.stage, "key": one.key} for one in plan.steps],
    }  # fmt: skip
    # Not sorted: the order of the inputs is that of the files in a release.
    return json.dumps(told, ensure_ascii=False, allow_nan=False)


def make(path: Path, settings: Settings, report: Reporter) -> None:
    """Make the step of the file ``path``, whose inputs are in the work folder. Raises InputError for another file, and
    the ZooError of the step."""
    try:
        given = shaped(jsontext.read(path, bounded=False), _Given)
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} is not a step that zoo wrote: {error}") from error
    plan = _plan(given)
    preflight.check_step(plan.step(given["id"]), world.tool_versions(), given["memory_bytes"], settings, report)
    engine.run_step(plan, given["id"], settings, report, _nobody)


def _plan(given: _Given) -> Plan:
    """The plan as far as the step needs it. Other steps are found by their keys, and have no spec here."""

    def step(one: _Other) -> Step:
        if one["id"] != given["id"]:
            return Step(one["id"], one["stage"], {}, {}, one["key"])
        return Step(
            one["id"], one["stage"], given["spec"], given["inputs"], one["key"], from_record(given["processor"])
        )

    return Plan(given["name"], given["version"], tuple(map(step, given["steps"])), (), "")


def _nobody(made: Mapping[str, object]) -> None:
    """The machine with the recipe judges what was made."""
    del made
