"""zoo ui"""

from __future__ import annotations

import os
import shlex
import shutil
import sys

import click

from zoo import extras
from zoo.cli.common import Call, options
from zoo.cli.forms import OfCommandLine
from zoo.views.asked import DEVICE, Asked
from zoo.views.screen import lines, text
from zoo.views.table import look

_FIRST = "runs"
_COLUMNS = 100


@click.command()
@options("work", "releases", "catalog", "evidence", "threads")
@click.option("--plain", "how", flag_value="plain", help="Print the view as text, and end.")
@click.option(
    "--columns", type=click.IntRange(20, 1000), metavar="N",
    help=f"Width of the text. [default: that of the terminal, or {_COLUMNS}]",
)  # fmt: skip
@click.option(
    "--device", "device_id", metavar="ID", default=DEVICE, show_default=True, help="The board that files are for."
)
@click.option("--read-only", "how", flag_value="read-only", help="Start no command.")
@click.argument("view", required=False, default=_FIRST, metavar="[VIEW]")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def command(
    call: Call, view: str, names: tuple[str, ...], how: str | None, columns: int | None, device_id: str
) -> None:
    """Look at runs, plans, gates, speed and the catalog, with keys or as text.

    Without a terminal, the view is printed as text, as with --plain. Closing the program never ends a run.

    VIEW is what to begin with, and NAME what it is about: a run, a recipe or a model; for the form of a command, its
    line without zoo, after two hyphens if it has options. The views are runs, run, log, plan, gates, publication,
    coverage, history, catalog, machine, drift, yanks, recipe and form.
    """
    name = names[0] if len(names) == 1 else shlex.join(names)
    asked = Asked(call.settings, name, device_id, forms=OfCommandLine())
    if how != "plain" and not call.output.json and _has_terminal():
        with call.output.resting():
            extras.load("zoo.tui.app").run(asked, view, read_only=how == "read-only")
        return
    found = look(view, asked)
    width = columns or shutil.get_terminal_size((_COLUMNS, 24)).columns
    shown = [line.text.rstrip() for line in lines(found, width)]
    data = {"view": view, "name": name, "title": found.title, "commands": list(found.commands)}
    call.output.answer({**data, "lines": shown}, text(found, width))


def _has_terminal() -> bool:
    """Whether there is a terminal that a program can draw on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")
