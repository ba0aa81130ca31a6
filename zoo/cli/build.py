"""zoo build"""

from __future__ import annotations

import click

from zoo import flow
from zoo.cli.common import SETTING_OPTIONS, Call, options
from zoo.cli.show import glance


@click.command()
@options(*SETTING_OPTIONS)
@click.argument("recipes", nargs=-1, required=True)
def command(call: Call, recipes: tuple[str, ...]) -> None:
    """Make the releases of RECIPES (names or files). Nothing is published; gates are shown, not enforced."""
    plans = [flow.make_plan(recipe, call.settings) for recipe in recipes]
    for planned in plans:
        release = flow.build(planned, call.settings, call.output)
        glance(call, release.model, release.release, release.verdicts)
        call.output.say(
            f"built in {call.settings.shown(release.folder)}; publish it with: zoo publish {planned.plan.name}"
        )
