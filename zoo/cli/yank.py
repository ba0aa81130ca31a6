"""zoo yank"""

from __future__ import annotations

import click

from catalog import yanks
from zoo.cli.answers import today, versioned, withdrawal
from zoo.cli.common import Call, options
from zoo.upkeep import yank


@click.command()
@options("catalog", "hub", "releases")
@click.option("--reason", required=True, help="What is wrong with it, in a sentence that readers will see.")
@click.option("--replacement", metavar="NAME@VERSION", help="What to use instead.")
@click.option(
    "--severity",
    type=click.Choice(yanks.SEVERITIES),
    default="moderate",
    show_default=True,
    help="How bad it is.",
)
@click.option("--catalog-only", is_flag=True, help="Leave the card on the hub alone.")
@click.argument("name")
def command(
    call: Call, name: str, reason: str, replacement: str | None, severity: str, catalog_only: bool
) -> None:
    """Withdraw NAME@VERSION: say in the catalog, on its page and on its card that it must not be used, and why.

    Nothing is deleted and no tag moves. The same command again changes nothing, and finishes what was pending.
    """
    model, version = versioned(name)
    done = yank.yank(
        model, version, reason=reason, severity=severity, replacement=replacement, date=today(),
        settings=call.settings, card=not catalog_only,
    )  # fmt: skip
    withdrawal(call, version, done, "is yanked" if done.changed else "was yanked before, in these words")
    for other in done.pointing_here:
        call.output.warn(
            f"{other} is yanked too and names {name} as its replacement; yank it anew with another one"
        )
