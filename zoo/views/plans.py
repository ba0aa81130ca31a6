"""What a recipe would run, and what it costs on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.words import counted, data_size
from zoo.machine import resources
from zoo.plan import prepare
from zoo.plan.costs import Costs
from zoo.plan.plan import Plan
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table


@dataclass(frozen=True)
class Room:
    """Of this machine, in bytes: memory that is free, and disk that is free at the work folder."""

    memory_bytes: int
    disk_bytes: int


def screen(plan: Plan, status: Mapping[str, str], costs: Costs, room: Room) -> Screen:
    """The steps with their reasons, the costs, and whether this machine has enough of each. status: by step."""
    rows = [Row((step.id, step.key[:12], status[step.id])) for step in plan.steps]
    notes = [f"{costs.steps} of {counted(len(rows), 'step')} to run."]
    if costs.steps:
        notes += _costs(costs, room)
    notes += [f"  {line}" for line in costs.work]
    notes += [f"Fetch for the {one.role}: {one.source}, about {data_size(one.size_bytes or 0)}" for one in plan.fetches]
    table = Table(("step", "key", "reason"), rows)
    commands = tuple(f"zoo {word} {plan.name}" for word in ("release", "build", "doctor"))
    return Screen(f"Plan of {plan.name} {plan.version}", ("\n".join(notes), table), commands)


def _costs(costs: Costs, room: Room) -> list[str]:
    if costs.disk_bytes is None or costs.memory_bytes is None:
        return [f"Needs: {prepare.needs(costs)}."]
    return [
        _compared("disk", costs.free_bytes, room.disk_bytes), _compared("memory", costs.memory_bytes, room.memory_bytes)
    ]


def _compared(what: str, needed: int, free: int) -> str:
    verdict = "enough" if needed <= free else "NOT ENOUGH"
    return f"{what}: needs {data_size(needed)}, {data_size(free)} free: {verdict}"


def look(asked: Asked) -> Screen:
    """The plan of a recipe. Raises InputError for a recipe with problems, ModelFileError for an unusable source."""
    settings = asked.settings
    room = Room(resources.memory_bytes()[1], resources.free_bytes(settings.work))
    planned = prepare.make_plan(asked.name, settings)
    return screen(planned.plan, planned.status, planned.costs, room)
