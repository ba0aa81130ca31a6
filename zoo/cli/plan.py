"""zoo plan"""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from catalog.words import data_size
from zoo.cli.common import MOST_JOBS, Call, options
from zoo.commandline import TAKES
from zoo.errors import InputError, ZooError
from zoo.jobs import written
from zoo.plan import foresight, preflight, prepare
from zoo.plan.prepare import Planned
from zoo.publish.asked import USUAL
from zoo.upkeep import taken


@click.command()
@options(*TAKES["plan"])
@click.option("--all", "every", is_flag=True, help="Plan every recipe whose version is not published yet.")
@click.option(
    "--as-jobs", type=click.Choice(list(written.WRITERS)),
    help="Write the missing steps as files for a cluster: job arrays in their order, with what each needs.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("build/jobs"), show_default=True, metavar="FOLDER",
    help="With --as-jobs: the folder for these files.",
)
@click.option(
    "--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N",
    help="With --as-jobs: most steps of an array at the same time.",
)
@click.option("--image", metavar="NAME", help="With --as-jobs kubernetes: the container image that has zoo.")
@click.option(
    "--claim", default="zoo", show_default=True, metavar="NAME",
    help="With --as-jobs kubernetes: the volume claim with the zoo's folder.",
)
@click.argument("recipes", nargs=-1)
def command(
    call: Call, recipes: tuple[str, ...], every: bool, as_jobs: str | None, **asked: Unpack[Asked]
) -> None:
    """Show the steps of RECIPES (names or files): which run and why, which are reused, what it costs.

    For several recipes there is a line for each. With --as-jobs, the steps become files for Slurm or Kubernetes, whose
    machines must share this folder.
    """
    if every == bool(recipes):
        raise InputError(
            "name recipes, or use --all alone" if every else "no recipe was named",
            remedy="Write: zoo plan NAME, or: zoo plan --all",
        )
    context = click.get_current_context()
    sources = {name: context.get_parameter_source(name) for name in asked}
    typed = [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if as_jobs is None and typed:
        raise InputError(f"--{typed[0]} needs --as-jobs", remedy="Write: --as-jobs slurm, or: --as-jobs kubernetes")
    if as_jobs == "slurm" and (unused := [name for name in typed if name in ("image", "claim")]):
        raise InputError(f"--{unused[0]} is for --as-jobs kubernetes only", remedy="Leave it out")
    if not every and as_jobs is None and len(recipes) == 1:
        _one(call, recipes[0])
        return
    names = prepare.every_recipe(call.settings) if every else recipes
    missed: list[str] = []

    def leave_out(name: str, error: ZooError) -> None:
        missed.append(name)
        call.output.warn(f"{name} is left out: {error}")

    plans = prepare.make_plans(names, call.settings, leave_out if every else None)
    if missed and not plans:
        raise InputError("no recipe can be planned", remedy="Fix the lines above")
    if every:
        plans = {name: one for name, one in plans.items() if not taken.is_out(one, call.settings, USUAL.way)}
    if as_jobs is None:
        _several(call, plans)
        return
    made = written.write(plans, written.Wanted(as_jobs, every=every, **asked), call.settings, Path.cwd())
    call.output.answer(made.data, made.sentence)


class Asked(TypedDict):
    """The options of --as-jobs."""

    out: Path
    jobs: int | None
    image: str | None
    claim: str


def _several(call: Call, plans: dict[str, Planned]) -> None:
    """A line for every recipe."""
    data, rows = [], []
    for name, planned in plans.items():
        plan, costs = planned.plan, planned.costs
        data.append(
            {
                "recipe": name, "name": plan.name, "version": plan.version, "key": plan.key, "to_run": planned.to_run,
                "costs": {**vars(costs), "work": list(costs.work)},
            }
        )  # fmt: skip
        sizes = [data_size(size) if size is not None else "unknown" for size in (costs.disk_bytes, costs.memory_bytes)]
        rows.append((name, plan.version, f"{costs.steps} of {len(plan.steps)}", *sizes))
    columns = ("recipe", "version", "#steps to run", "#disk", "#memory")
    shared = len({planned.plan.step(id_).key for planned in plans.values() for id_ in planned.to_run})
    note = f"{shared} different steps to run. Steps that recipes share are made once."
    call.output.table({"recipes": data, "different_steps": shared}, "Plans", columns, rows, note)


def _one(call: Call, recipe: str) -> None:
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
        for fault in (*preflight.folders(call.settings), *preflight.too_much(costs)):
            call.output.warn(fault)
    call.output.table(data, f"{plan.name} {plan.version}", ("step", "key", "reason"), rows, "\n".join(notes))
