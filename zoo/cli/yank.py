"""zoo yank"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from catalog import yanks
from zoo.cli.common import Call, options
from zoo.errors import InputError
from zoo.upkeep import yank
from zoo.upkeep.yank import Yanked


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
    model, version = split(name)
    done = yank.yank(
        model, version, reason=reason, severity=severity, replacement=replacement, date=today(),
        settings=call.settings, card=not catalog_only,
    )  # fmt: skip
    answer(call, version, done, "is yanked" if done.changed else "was yanked before, in these words")
    for other in done.pointing_here:
        call.output.warn(
            f"{other} is yanked too and names {name} as its replacement; yank it anew with another one"
        )


def split(name: str) -> tuple[str, str]:
    """(name, version) of NAME@VERSION. Raises InputError."""
    model, _, version = name.partition("@")
    if not model or not version:
        raise InputError(f"{name!r} names no version", remedy="Write NAME@VERSION; zoo catalog lists them")
    return model, version


def today() -> str:
    """The day in UTC, as YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()


def answer(call: Call, version: str, done: Yanked, words: str) -> None:
    """What was recorded, and what became of the card."""
    banner, last = done.banner, next(e for e in reversed(done.model.yanks) if e.version == version)
    data: dict[str, Any] = {
        "name": done.model.name,
        "changed": done.changed,
        **vars(last),
        "banner": vars(banner),
    }
    cards = {
        "committed": f"The card of {banner.repository} shows it too (commit {(banner.commit or '')[:12]}).",
        "unchanged": f"The card of {banner.repository} shows it already.",
        "left out": f"The card of {banner.repository} was left alone.",
        "pending": f"The card of {banner.repository} is not changed yet.",
    }
    call.output.answer(data, f"{done.model.name} {version} {words}. {cards[banner.state]}")
    if banner.state == "pending":
        call.output.warn(
            f"The card is pending: {banner.why} Give the same command again when the hub can be reached."
        )
