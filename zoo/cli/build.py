"""zoo build"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TypedDict, Unpack

import click

from catalog.words import counted
from zoo import commandline, flow
from zoo.cli.answers import as_data, glance
from zoo.cli.common import MOST_JOBS, Call, options
from zoo.cli.spreading import spread as spreading
from zoo.commandline import TAKES
from zoo.errors import InputError
from zoo.hub.located import at_home
from zoo.jobs import given as given_step
from zoo.jobs import pool
from zoo.jobs.pool import Spread
from zoo.plan import prepare
from zoo.upkeep import again, taken


@click.command()
@options(*TAKES["build"])
@click.option("--measure-again", is_flag=True, help="Repeat the benchmarks that other work on the machine disturbed.")
@spreading(gated=False)
@click.option("--step", "step", metavar="ID", help="Make only this step of one recipe, whose inputs are finished.")
@click.option(
    "--share", type=click.IntRange(1, MOST_JOBS), default=1, metavar="N",
    help="With --step: N steps run on this machine, so use an Nth of the threads where that changes no bytes.",
)
@click.option("--gated", is_flag=True, help="With --step: exit code 3 if the step misses a gate of the recipe.")
@click.option("--given", type=click.Path(path_type=Path), hidden=True)
@click.argument("recipes", nargs=-1, required=True)
def command(
    call: Call, recipes: tuple[str, ...], measure_again: bool, spread: Spread, given: Path | None, **how: Unpack[How]
) -> None:
    """Build the releases of RECIPES (names or files). Nothing is published; gates are shown but not enforced."""
    if given is not None:
        # A node of a cluster, which has neither the recipe nor its gates.
        given_step.make(given, call.settings, call.output)
        return None
    if (step := how["step"]) is not None:
        return _step(call, recipes, step, flow.Single(how["share"], how["gated"]))
    if how["share"] > 1 or how["gated"]:
        raise InputError("--share and --gated need --step", remedy="Name a step, or leave them out")
    plans = [prepare.make_plan(recipe, call.settings) for recipe in recipes]
    if measure_again:
        for planned in plans:
            again.refuse_published(planned, call.settings)
        forgotten = [step for planned in plans for step in again.forget(planned, call.settings)]
        call.output.say(f"{counted(len(forgotten), 'benchmark')} to repeat")
        plans = [prepare.make_plan(recipe, call.settings) for recipe in recipes]
    if not spread.is_one_by_one:
        by_name = dict(zip(recipes, plans, strict=True))
        pool.refuse(pool.together(by_name, spread, call.settings, call.output, flow.refuse_unable))
        # What depends on a finished step may have another key now, if another processor finished it.
        plans = [prepare.make_plan(recipe, call.settings) for recipe in recipes]
    built = []
    for planned in plans:
        there = at_home(planned.plan.name, planned.plan.version, call.settings, call.output)
        release = flow.build(planned, there, call.output)
        data = as_data(release.model, release.release, release.verdicts)
        built.append({"folder": call.settings.shown(release.folder), **data})
        if not call.output.json:
            glance(call, release.model, release.release, release.verdicts)
        if again.is_needed(release):
            line = commandline.line(there, "build", planned.plan.name, "--measure-again")
            call.output.say(f"when the machine is idle, repeat the disturbed benchmarks with: {line}")
        call.output.say(taken.after_build(planned, release, there))
    call.output.answer({"releases": built}, "")
    return None


class How(TypedDict):
    """The options of a single step."""

    step: str | None
    share: int
    gated: bool


def _step(call: Call, recipes: tuple[str, ...], step: str, how: flow.Single) -> None:
    if len(recipes) != 1:
        one = commandline.line(call.settings, "build", shlex.quote(recipes[0]), "--step", shlex.quote(step))
        raise InputError("--step makes a step of one recipe", remedy=f"Write: {one}")
    planned = prepare.make_plan(recipes[0], call.settings)
    made = flow.build_step(planned, step, call.settings, call.output, how)
    key = planned.plan.step(step).key
    data = {"recipe": planned.plan.name, "version": planned.plan.version, "step": step, "key": key, "made": made}
    call.output.answer(data, f"{planned.plan.name} {step} {'is finished' if made else 'was finished before'}")
