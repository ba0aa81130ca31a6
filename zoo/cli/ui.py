"""zoo ui"""

from __future__ import annotations

import shutil

import click

from zoo.cli.common import Call, options
from zoo.views.asked import DEVICE, Asked
from zoo.views.screen import lines, text
from zoo.views.table import look

_FIRST = "runs"
_COLUMNS = 100


@click.command()
@options("work", "releases", "catalog", "evidence", "threads")
@click.option("--plain", is_flag=True, help="Print the view as text, and end.")
@click.option(
    "--columns", type=click.IntRange(20, 1000), metavar="N",
    help=f"Width of the text. [default: that of the terminal, or {_COLUMNS}]",
)  # fmt: skip
@click.option(
    "--device", "device_id", metavar="ID", default=DEVICE, show_default=True, help="The board that files are for."
)
@click.argument("view", required=False, metavar="[VIEW]")
@click.argument("name", required=False, default="", metavar="[NAME]")
def command(call: Call, view: str | None, name: str, plain: bool, columns: int | None, device_id: str) -> None:
    """Look at runs, plans, gates, speed and the catalog.

    VIEW is what to look at, and NAME what it is about: a run, a recipe or a model. The views are runs, run, log, plan,
    gates, publication, history, catalog, machine, drift and yanks.
    """
    del plain
    asked = Asked(call.settings, name, device_id)
    found = look(view or _FIRST, asked)
    width = columns or shutil.get_terminal_size((_COLUMNS, 24)).columns
    shown = [line.text.rstrip() for line in lines(found, width)]
    data = {"view": view or _FIRST, "name": name, "title": found.title, "commands": list(found.commands)}
    call.output.answer({**data, "lines": shown}, text(found, width))
