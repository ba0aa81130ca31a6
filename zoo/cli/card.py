"""zoo card"""

from __future__ import annotations

import shlex

import click

from zoo import commandline
from zoo.cli.answers import at_mirrors, today
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.hub.located import hub_of_settings
from zoo.plan import prepare
from zoo.upkeep import collection, correct


@click.command()
@options(*TAKES["card"])
@click.option("--publish", is_flag=True, help="Commit the corrected README.md. Without it, only show the change.")
@click.option("--reason", default="", help="What was wrong. Readers of the card see this sentence.")
@click.option("--force", is_flag=True, help="Replace the card even if someone else changed it on the hub.")
@click.argument("recipe")
def command(call: Call, recipe: str, publish: bool, reason: str, force: bool) -> None:
    """Correct the card of the published version of RECIPE (a name or a file) without a new version.

    Change words in the recipe (summary, task, owners, good_at, bad_at, maturity, notes, notes of sources), not the
    version. Figures come from the catalog. Files and tags do not change. The correction is recorded in the catalog and
    on the card.
    """
    settings = call.settings
    checked = correct.recipe_of(prepare.find_recipe(recipe, settings), settings)
    found = correct.prepare(checked, settings, reason=reason, date=today(), force=force)
    place = found.release.location.model.name
    data: dict[str, object] = {
        "name": found.model.name,
        "version": found.release.version,
        "repository": place,
        "fields": list(found.fields),
        "differs": found.differs,
        "diff": found.diff(),
        "published": False,
        "commit": None,
    }
    dataset = found.release.location.dataset
    what = f"the card of {found.model.name} {found.release.version} on {place}"
    if found.data and dataset:
        data["dataset"] = {"repository": dataset.name, "differs": found.data.differs, "commit": None, "mirrors": {}}
        what = f"the cards of {found.model.name} {found.release.version} on {place} and of its dataset {dataset.name}"
    if not publish:
        more = (*(("--reason", shlex.quote(reason)) if reason else ()), *(("--force",) if force else ()))
        how = commandline.line(settings, "card", recipe, "--publish", *more)
        said = f"{found.diff()}This would change {what}. Publish it with: {how}"
        has = "have" if found.data else "has"
        call.output.answer(data, said if found.differs else f"Nothing to correct: {what} {has} these words.")
        return
    assert checked.recipe
    done = correct.publish(found, checked.recipe, settings)
    card = done.card
    data |= {"published": True, "commit": card.commit, "mirrors": {hub: vars(one) for hub, one in done.mirrors}}
    if done.data:
        mirrors = {hub: vars(one) for hub, one in done.data_mirrors}
        data["dataset"] = {**vars(done.data), "differs": done.data.state == "committed", "mirrors": mirrors}
    new = [str(one.commit)[:12] for one in (card, done.data) if one and one.state == "committed"]
    also = at_mirrors((*done.mirrors, *done.data_mirrors))
    if new:
        commits = f"{'commit' if len(new) == 1 else 'commits'} {' and '.join(new)}"
        said = f"Corrected {what} ({commits}). Only README.md changed.{also}"
    else:
        said = f"Nothing to do: {what} {'have' if done.data else 'has'} these words already.{also}"
    call.output.answer(data, said)
    # The summary of a model is its note there.
    collection.keep(settings, hub_of_settings(settings, quick=True), call.output)
    for hub, one in (*done.mirrors, *done.data_mirrors):
        if one.why:
            again = "" if one.state == "lost" else " Run the same command again."
            call.output.warn(f"the card at mirror {hub} is not corrected yet: {one.why}{again}")
