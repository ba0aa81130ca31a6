"""zoo collection"""

from __future__ import annotations

import click

from catalog.words import counted
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.hub.located import hub_of_settings
from zoo.upkeep import collection


@click.command()
@options(*TAKES["collection"])
@click.option("--dry-run", is_flag=True, help="Show what would change, and stop.")
def command(call: Call, dry_run: bool) -> None:
    """Bring the zoo's collection on the hub up to date: title, models, notes, and the order of the catalog.

    The setting collection is its title; with it, publishing does the same. The collection is made if it does not exist.
    Private repositories are left out. Items that the catalog does not know stay, after those of the zoo.
    """
    done = collection.sync(call.settings, hub_of_settings(call.settings, quick=True), dry_run=dry_run)
    data = {"slug": done.slug, "entries": done.entries, "others": done.others, "changes": done.changes,
            "dry_run": dry_run}  # fmt: skip
    what = counted(done.entries, "item")
    others = f" {counted(done.others, 'other item')} stayed." if done.others else ""
    if not done.changes:
        call.output.answer(data, f"The collection {done.slug} is up to date: {what}.{others}")
        return
    head = "Would change the collection:" if dry_run else f"The collection {done.slug} has {what} of the zoo now:"
    lines = [head, *(f"  {line}" for line in done.changes), *([others.strip()] if others else [])]
    call.output.answer(data, "\n".join(lines))
