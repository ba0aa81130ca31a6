"""zoo yank"""

from __future__ import annotations

import click

from catalog import yanks
from catalog.release import YankEvent
from zoo.cli.answers import today, versioned, withdrawal
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.upkeep import yank

WHY = (
    "Its files and its tag stay, even if it was published only minutes ago: somebody may have pulled it already, and"
    " what they have must stay what the catalog says. To publish corrected files, raise the version in the recipe."
)
"""Why a release is withdrawn and never deleted."""


@click.command()
@options(*TAKES["yank"])
@click.option("--reason", required=True, help="What is wrong with it. Readers see this sentence.")
@click.option("--replacement", metavar="NAME@VERSION", help="What to use instead.")
@click.option(
    "--severity",
    type=click.Choice(yanks.SEVERITIES),
    default="moderate",
    show_default=True,
    help="How bad it is.",
)
@click.option("--catalog-only", is_flag=True, help="Do not change the card on the hub.")
@click.argument("name")
def command(
    call: Call, name: str, reason: str, replacement: str | None, severity: str, catalog_only: bool
) -> None:
    """Withdraw NAME@VERSION: the catalog, its page and its card show that it must not be used, and why.

    Nothing is deleted and no tag moves, even minutes after publishing: somebody may have pulled it already. Running the
    same command again changes nothing, except that it finishes pending work.
    """
    model, version = versioned(name)
    event = YankEvent(version, today(), "yank", reason, severity, replacement)
    done = yank.yank(model, event, settings=call.settings, card=not catalog_only)
    withdrawal(call, version, done, "is yanked" if done.changed else "was already yanked with this reason")
    if done.changed:
        call.output.say(WHY)
    for other in done.pointing_here:
        call.output.warn(
            f"{other} is also yanked and names {name} as its replacement. Yank it again with another one"
        )
