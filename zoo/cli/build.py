"""zoo build"""

from __future__ import annotations

import click

from zoo import flow
from zoo.cli.answers import as_data, glance
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.hub.located import at_home
from zoo.plan import prepare
from zoo.upkeep import taken


@click.command()
@options(*TAKES["build"])
@click.argument("recipes", nargs=-1, required=True)
def command(call: Call, recipes: tuple[str, ...]) -> None:
    """Build the releases of RECIPES (names or files). Nothing is published; gates are shown but not enforced."""
    plans = [prepare.make_plan(recipe, call.settings) for recipe in recipes]
    built = []
    for planned in plans:
        there = at_home(planned.plan.name, planned.plan.version, call.settings, call.output)
        release = flow.build(planned, there, call.output)
        data = as_data(release.model, release.release, release.verdicts)
        built.append({"folder": call.settings.shown(release.folder), **data})
        if not call.output.json:
            glance(call, release.model, release.release, release.verdicts)
        call.output.say(taken.after_build(planned, release, there))
    call.output.answer({"releases": built}, "")
