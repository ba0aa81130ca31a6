"""zoo unyank"""

from __future__ import annotations

import click

from zoo.cli.answers import today, versioned, withdrawal
from zoo.cli.common import Call, options
from zoo.upkeep import yank


@click.command()
@options("catalog", "hub", "releases")
@click.option(
    "--reason", required=True, help="Why it may be used again, in a sentence that readers will see."
)
@click.option("--catalog-only", is_flag=True, help="Leave the card on the hub alone.")
@click.argument("name")
def command(call: Call, name: str, reason: str, catalog_only: bool) -> None:
    """Take NAME@VERSION back into use. That it was withdrawn, and why, stays recorded."""
    model, version = versioned(name)
    done = yank.unyank(
        model, version, reason=reason, date=today(), settings=call.settings, card=not catalog_only
    )
    withdrawal(
        call, version, done, "may be used again" if done.changed else "was taken back before, in these words"
    )
