"""zoo build"""

from __future__ import annotations

import click

from catalog.words import counted
from zoo import commandline, flow
from zoo.cli.answers import as_data, glance
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.hub.located import at_home
from zoo.plan import prepare
from zoo.upkeep import again, taken


@click.command()
@options(*TAKES["build"])
@click.option("--measure-again", is_flag=True, help="Repeat the benchmarks that other work on the machine disturbed.")
@click.argument("recipes", nargs=-1, required=True)
def command(call: Call, recipes: tuple[str, ...], measure_again: bool) -> None:
    """Build the releases of RECIPES (names or files). Nothing is published; gates are shown but not enforced."""
    plans = [prepare.make_plan(recipe, call.settings) for recipe in recipes]
    if measure_again:
        for planned in plans:
            again.refuse_published(planned, call.settings)
        forgotten = [step for planned in plans for step in again.forget(planned, call.settings)]
        call.output.say(f"{counted(len(forgotten), 'benchmark')} to repeat")
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
