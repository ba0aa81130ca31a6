"""zoo release"""

from __future__ import annotations

from pathlib import Path

import click

from zoo import flow
from zoo.cli.answers import result_of
from zoo.cli.common import SETTING_OPTIONS, Call, options
from zoo.errors import InputError


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
    """Build RECIPES (names or files), check their gates, publish them and record them in the catalog.

    Every recipe is checked before the first one is built. After an interruption the same command resumes.
    """
    if sign and sign_key:
        raise InputError("--sign and --sign-key cannot be used together")
    done = flow.release(recipes, call.settings, call.output, flow.Seal(sign or sign_key is not None, sign_key))
    results = [result_of(one.planned, one.folder, one.published, call.settings) for one in done]
    lines = [str(result["sentence"]) for result in results]
    look = f"zoo show {done[0].planned.plan.name}" if len(done) == 1 else "zoo catalog"
    lines.append(f"Next: {look}, or see it in a browser with: zoo site serve")
    call.output.answer({"releases": results}, "\n".join(lines))
