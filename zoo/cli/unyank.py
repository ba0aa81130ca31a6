"""zoo unyank"""

from __future__ import annotations

import click

from zoo.cli.answers import today, versioned, withdrawal
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.upkeep import yank


@click.command()
@options(*TAKES["unyank"])
@click.option(
    "--reason", required=True, help="Why it may be used again. Readers see this sentence."
)
@click.option("--catalog-only", is_flag=True, help="Do not change the card on the hub.")
@click.argument("name")
def command(call: Call, name: str, reason: str, catalog_only: bool) -> None:
    """Make NAME@VERSION available again. The catalog keeps the record of the withdrawal and its reason."""
    model, version = versioned(name)
    done = yank.unyank(
        model, version, reason=reason, date=today(), settings=call.settings, card=not catalog_only
    )
    withdrawal(
        call, version, done, "may be used again" if done.changed else "was already unyanked with this reason"
    )
