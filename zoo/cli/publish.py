"""zoo publish"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from catalog.recipe import plain
from catalog.words import data_size
from zoo import commandline, flow
from zoo.cli import several
from zoo.cli.answers import result_of
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.errors import InputError
from zoo.hub.located import at_home
from zoo.plan import prepare
from zoo.plan.prepare import Planned
from zoo.publish import repaired as repairs
from zoo.publish import staging
from zoo.publish.apply import Published, Target
from zoo.publish.asked import Asked
from zoo.publish.places import Way
from zoo.release import ReleaseFolder
from zoo.settings import Settings
from zoo.upkeep import taken

Result = TypeVar("Result")


def _how(function: Callable[..., Result]) -> Callable[..., Result]:
    """Adds the options of how to publish; the function gets them as ``asked``."""

    @functools.wraps(function)
    def wrapped(
        *args: object, verify: str, mirror: bool, move: bool, delete_others: bool, stage: str | None,
        promote: bool, **kwargs: object,
    ) -> Result:  # fmt: skip
        if mirror + move + bool(stage) + promote > 1:
            raise InputError("--mirror, --move, --stage and --promote cannot be used together")
        way = Way.MIRROR if mirror else Way.MOVE if move else Way.PLACE
        asked = Asked(verify, way, delete_others, bool(stage), promote, stage == "readable")
        return function(*args, asked=asked, **kwargs)

    decorated: Callable[..., Result] = wrapped
    for option in (
        click.option("--delete-others", is_flag=True, help="Delete files in the repositories that no release of "
                     "this zoo put there."),
        click.option("--move", is_flag=True, help="The version is published elsewhere: make this "
                     "hub its place, for example after a rehearsal in a folder."),
        click.option("--mirror", is_flag=True, help="The version is published elsewhere: record this hub as "
                     "a second place for the same files."),
        click.option("--promote", is_flag=True, help="Publish what was staged, and nothing else."),
        click.option("--stage-readable", "stage", flag_value="readable", help="Like --stage, also in a repository "
                     "that is more open than the version, so that others can read it."),
        click.option("--stage", "stage", flag_value="closed", help="Send the release to a branch of its own "
                     "(staging-VERSION): checked and complete, without a tag, and not in the catalog."),
        click.option("--verify", type=click.Choice(["tree", "full"]), default="tree", show_default=True,
                     help="Compare sizes and sha256 that the hub reports, or read every file back."),
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated


@click.command()
@options(*TAKES["publish"])
@click.option("--dry-run", "instead", flag_value="show", help="Show what would be uploaded, file by file, and stop.")
@_how
@click.option(
    "--repair", "instead", flag_value="repair",
    help="Read back every published version, and send again what the hub lost or damaged. Nothing else is published. "
    "With --move, versions whose commits the hub lost are published again, with new commits. With --delete-others, "
    "files on the main branch that no release put there are deleted.",
)
@click.option(
    "--unstage", "instead", flag_value="unstage",
    help="Remove what is staged of the recipe's version. Nothing is published.",
)
@click.option("--as-built", is_flag=True, help="Take the release of this recipe that another machine built.")
@click.option("--all", "every", is_flag=True, help="Publish every recipe that is built and not published yet.")
@click.argument("recipe", required=False)
def command(
    call: Call, recipe: str | None, instead: str | None, every: bool, asked: Asked, as_built: bool
) -> int | None:
    """Publish the built release of RECIPE (a name or a file), or of every recipe with --all. It must pass its gates.

    One verified commit per repository, then the tags, then the catalog. After an interruption, run the same command to
    resume; nothing is done twice. A published version never changes. The main branch holds the highest stable version;
    a pre-release or an older version only gets its commit and its tag. Files that other people added stay.
    """
    asked = dataclasses.replace(asked, as_built=as_built)
    if every == bool(recipe) or (every and (instead or asked.stage or asked.promote or asked.as_built)):
        raise InputError(
            "name one recipe, or use --all alone" if every else "no recipe was named",
            remedy="Write: zoo publish NAME, or: zoo publish --all",
        )
    if every:
        return _every(call, asked)
    assert recipe
    if instead == "repair":
        _repair(call, recipe, asked)
        return None
    planned = prepare.make_plan(recipe, call.settings)
    settings = call.settings
    if asked.way is Way.PLACE:
        settings = at_home(planned.plan.name, planned.plan.version, settings, call.output)
    if instead == "unstage":
        _unstage(call, planned, settings)
        return None
    before = None if instead or asked.stage or asked.way is not Way.PLACE else taken.released_before(planned, settings)
    if before:
        if asked.delete_others:
            flow.delete_others(planned.plan.name, settings, call.output)
        result = result_of(planned, Published(before, already=True), settings)
        call.output.answer(result, str(result["sentence"]))
        return None
    release = flow.existing_release(planned, settings, asked)
    if instead == "show":
        _dry_run(call, planned, flow.targets(planned, release, settings, asked)[1])
        return None
    published = flow.publish(planned, release, settings, call.output, asked)
    if asked.stage:
        _staged(call, planned, published, asked)
        return None
    result = result_of(planned, published, settings, asked.way)
    call.output.answer(result, str(result["sentence"]))
    return None


def _staged(call: Call, planned: Planned, published: Published, asked: Asked) -> None:
    plan, place = planned.plan, published.location
    catalog = call.settings.shown(staging.path_of(call.settings))
    data = {"name": plan.name, "version": plan.version, "staged": plain(place), "catalog": catalog}
    again, one = commandline.of(call.settings, "publish", plan.name), f"{plan.name}@{plan.version}"
    lines = [
        f"{plan.name} {plan.version} is staged: {place.model.name}, branch {place.model.tag}, commit "
        f"{place.model.commit[:12]}. It has no tag and is not in the catalog.",
        f"Try it with: {commandline.with_flags({'hub': call.flags.get('hub')}, 'pull', one, '--staged')}",
        f"On another machine, take {catalog} there and add: --catalog FILE",
        f"Publish it with: {again(*asked.kept, '--promote')}. Remove it with: {again('--unstage')}",
    ]
    call.output.answer(data, "\n".join(lines))


def _unstage(call: Call, planned: Planned, settings: Settings) -> None:
    gone, plan = flow.unstage(planned, settings), planned.plan
    data = {"name": plan.name, "version": plan.version, "repositories": gone}
    title = f"{plan.name} {plan.version}"
    nothing = f"{title} was not staged, so nothing was removed."
    call.output.answer(data, f"The staged {title} was removed from {', '.join(gone)}." if gone else nothing)


def _every(call: Call, asked: Asked) -> int:
    """Publish what is built and not out. The exit code is 1 if a recipe failed."""
    several.refuse_unready(call.settings)

    def act(ready: tuple[Planned, ReleaseFolder]) -> tuple[str, str]:
        planned, release = ready
        there = at_home(planned.plan.name, planned.plan.version, call.settings, call.output)
        published = flow.publish(planned, release, there, call.output, asked)
        return planned.plan.version, several.where(published)

    names = prepare.every_recipe(call.settings)
    found = several.each(call, names, lambda name: several.built(name, call.settings, asked), act)
    return several.answer(call, found)


def _repair(call: Call, recipe: str, asked: Asked) -> None:
    """The catalog knows what was published, so the recipe need not be valid, or be there at all."""
    name = Path(recipe).name.removesuffix(".yaml").removesuffix(".yml")
    found = flow.repaired(name, call.settings, call.output, asked)
    data = {
        "name": name,
        "hub": found.hub,
        "versions": found.versions,
        "contents": found.contents,
        "sent_again": found.sent,
        "restored": found.restored,
        "unknown_tags": found.unknown,
    }
    call.output.answer(data, repairs.sentence(name, found))


def _dry_run(call: Call, planned: Planned, targets: Sequence[Target]) -> None:
    rows, repositories = [], []
    for target in targets:
        changes = [vars(change) for change in target.plan.changes]
        plan = target.plan
        repositories.append(
            {"kind": target.kind, "name": target.name, "branch": plan.line.branch, "parent": plan.parent,
             "changes": changes}
        )  # fmt: skip
        rows += [
            (target.kind, change.action, change.path, data_size(change.size_bytes), change.reason)
            for change in target.plan.changes
        ]
    total = sum(target.plan.upload_bytes for target in targets)
    data = {
        "name": planned.plan.name,
        "version": planned.plan.version,
        "upload_bytes": total,
        "repositories": repositories,
    }
    title = f"{planned.plan.name} {planned.plan.version}: nothing was changed"
    columns = ("repository", "action", "path", "#size", "reason")
    call.output.table(data, title, columns, rows, f"Would upload {data_size(total)}.")
