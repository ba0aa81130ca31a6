"""zoo release"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import click

from zoo import commandline, flow
from zoo.cli import several
from zoo.cli.answers import result_of
from zoo.cli.common import Call, options
from zoo.cli.spreading import spread as spreading
from zoo.commandline import TAKES
from zoo.errors import InputError, ZooError
from zoo.jobs import pool
from zoo.jobs.pool import Spread
from zoo.plan import prepare, world
from zoo.plan.prepare import Planned


@click.command()
@options(*TAKES["release"])
@click.option(
    "--sign-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Sign with this key before publishing.",
)
@click.option("--sign", is_flag=True, help="Sign with the identity of this CI job before publishing.")
@spreading(gated=True)
@click.option("--all", "every", is_flag=True, help="Release every recipe whose version is not published yet.")
@click.argument("recipes", nargs=-1)
def command(
    call: Call, recipes: tuple[str, ...], sign_key: Path | None, sign: bool, every: bool, spread: Spread
) -> int | None:
    """Build RECIPES (names or files), check their gates, publish them and record them in the catalog.

    Every recipe is checked before the first one is built. After an interruption the same command resumes.
    """
    if sign and sign_key:
        raise InputError("--sign and --sign-key cannot be used together")
    if every == bool(recipes):
        raise InputError(
            "name recipes, or use --all alone" if every else "no recipe was named",
            remedy="Write: zoo release NAME, or: zoo release --all",
        )
    seal = flow.Seal(sign or sign_key is not None, sign_key)
    if every:
        return _every(call, seal, spread)

    def ahead(plans: Mapping[str, Planned]) -> None:
        pool.refuse(pool.together(plans, spread, call.settings, call.output, flow.refuse_unable))

    done = flow.release(recipes, call.settings, call.output, seal, None if spread.is_one_by_one else ahead)
    results = [result_of(one.planned, one.published, call.settings) for one in done]
    lines = [str(result["sentence"]) for result in results]
    name = done[0].planned.plan.name
    look = commandline.line(call.settings, *(("show", name) if len(done) == 1 else ("catalog",)))
    lines.append(f"Next: {look}, or see it in a browser with: zoo site serve")
    call.output.answer({"releases": results}, "\n".join(lines))
    return None


def _every(call: Call, seal: flow.Seal, spread: Spread) -> int:
    """Release what is not out. The exit code is 1 if a recipe failed."""
    several.refuse_unready(call.settings)

    def ahead(plans: Mapping[str, Planned]) -> dict[str, ZooError]:
        if spread.is_one_by_one:
            return {}
        return pool.together(plans, spread, call.settings, call.output, flow.refuse_unable)

    def act(planned: Planned) -> tuple[str, str]:
        (done,) = flow.release([planned.checked.file], call.settings, call.output, seal)
        return planned.plan.version, several.where(done.published)

    names, tools = prepare.every_recipe(call.settings), world.tool_versions()
    looked = functools.partial(several.unpublished, call=call, tools=tools)
    return several.answer(call, several.each(call, names, looked, act, ahead))
