"""zoo release"""

from __future__ import annotations

from pathlib import Path

import click

from zoo import flow
from zoo.cli.common import SETTING_OPTIONS, Call, options
from zoo.cli.publish import result_of
from zoo.errors import InputError
from zoo.plan import prepare
from zoo.publish import record
from zoo.release import sign as signing


@click.command()
@options(*SETTING_OPTIONS)
@click.option(
    "--sign-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Sign with this key before publishing.",
)
@click.option("--sign", is_flag=True, help="Sign with the identity of this CI job before publishing.")
@click.argument("recipes", nargs=-1, required=True)
def command(call: Call, recipes: tuple[str, ...], sign_key: Path | None, sign: bool) -> None:
    """Build RECIPES (names or files), judge them by their gates, publish them and record them in the catalog.

    Every recipe is checked before the first one is built. After an interruption the same command resumes.
    """
    if sign and sign_key:
        raise InputError("--sign and --sign-key exclude each other")
    settings = call.settings
    plans = [prepare.make_plan(recipe, settings) for recipe in recipes]
    record.refuse_unwritable(settings)
    for planned in plans:
        flow.refuse_taken_version(planned, settings)
    results = []
    for planned in plans:
        release = flow.build(planned, settings, call.output)
        if sign or sign_key:
            flow.refuse_failed_gates(release)
            release, _ = signing.sign(release, settings, call.output, key=sign_key)
        published = flow.publish(planned, release, settings, call.output)
        results.append(result_of(planned, release, published))
    human = "\n".join(str(result["sentence"]) for result in results)
    call.output.answer({"releases": results}, human)
