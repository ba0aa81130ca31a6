"""zoo plan"""

from __future__ import annotations

import click

from catalog.words import data_size
from zoo.cli.common import Call, options
from zoo.plan import foresight, preflight, prepare


@click.command()
@options("work", "threads")
@click.argument("recipe")
def command(call: Call, recipe: str) -> None:
    """Show the steps of RECIPE (a name or a file): which run and why, which are reused, what it costs."""
    planned = prepare.make_plan(recipe, call.settings)
    plan, costs = planned.plan, planned.costs
    remote = foresight.refuse_templates(planned.checked, call.settings.root, call.settings.work) if costs.steps else []
    data = {
        "name": plan.name,
        "version": plan.version,
        "key": plan.key,
        "steps": [
            {
                "id": s.id,
                "stage": s.stage,
                "key": s.key,
                "inputs": dict(s.inputs),
                "reason": planned.status[s.id],
            }
            for s in plan.steps
        ],
        "fetches": [vars(fetch) for fetch in plan.fetches],
        "costs": {**vars(costs), "work": list(costs.work)},
    }
    rows = [(step.id, step.key[:12], planned.status[step.id]) for step in plan.steps]
    notes = [f"{costs.steps} of {len(rows)} steps to run."]
    if costs.steps:
        notes.append(f"Estimated: {prepare.needs(costs)}.")
    for fetch in plan.fetches:
        size = f", about {data_size(fetch.size_bytes)}" if fetch.size_bytes else ""
        notes.append(f"Would fetch for the {fetch.role}: {fetch.source}{size}.")
    notes += [f"  {line}" for line in costs.work]
    if remote:
        notes.append(f"The chat template of {' and '.join(remote)} is tried when the build fetches it.")
    if costs.steps:
        for fault in preflight.folders(call.settings):
            call.output.warn(fault)
    call.output.table(data, f"{plan.name} {plan.version}", ("step", "key", "reason"), rows, "\n".join(notes))
