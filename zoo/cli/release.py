"""zoo release"""

from __future__ import annotations

import click

from zoo import flow
from zoo.cli.common import SETTING_OPTIONS, Call, options
from zoo.cli.publish import result_of


@click.command()
@options(*SETTING_OPTIONS)
@click.argument("recipes", nargs=-1, required=True)
def command(call: Call, recipes: tuple[str, ...]) -> None:
    """Build RECIPES (names or files), judge them by their gates, publish them and record them in the catalog.

    Every recipe is checked before the first one is built. After an interruption the same command goes on.
    """
    settings = call.settings
    plans = [flow.make_plan(recipe, settings) for recipe in recipes]
    for planned in plans:
        flow.refuse_taken_version(planned, settings)
    results = []
    for planned in plans:
        release = flow.build(planned, settings, call.output)
        published = flow.publish(planned, release, settings, call.output)
        results.append(result_of(planned, release, published))
    human = "\n".join(str(result["sentence"]) for result in results)
    call.output.answer({"releases": results}, human)
