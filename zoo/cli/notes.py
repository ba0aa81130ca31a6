"""zoo notes"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import click

from catalog import plainfiles
from catalog import watch as reports
from zoo import catalogfile
from zoo.cli.common import Call, options
from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.history import store
from zoo.output import visible
from zoo.review import quarter as quarters
from zoo.review import trees
from zoo.settings import Settings


@click.command()
@options("catalog", "evidence")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the notes there, too.")
@click.argument("quarter", required=False)
def command(call: Call, quarter: str | None, out: Path | None) -> None:
    """Write the notes of a QUARTER, such as 2026-Q4, for the people of the zoo. Without one: of the last quarter.

    They name the releases, the withdrawn versions, changed recipes and corpora with their authors, the measured speed,
    and what the last zoo watch found. The same catalog, evidence and git history give the same text.
    """
    settings = call.settings
    now = datetime.datetime.now(datetime.UTC).date()
    asked = quarters.named(quarter) if quarter else quarters.before(now)
    catalog = catalogfile.read(settings)
    try:
        commits = trees.commits(settings.root, asked.first, asked.after)
    except InputError as error:
        call.output.warn(f"changes are left out: {error.what}")
        commits = []
    histories = {model.name: store.read(settings.evidence, model) for model in catalog.models}
    text = quarters.notes(asked, catalog, commits, histories, _watch(settings))
    if out:
        write_atomic(out, text)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(text)
    call.output.answer({"quarter": str(asked), "notes": text}, visible(text))


def _watch(settings: Settings) -> reports.Report | None:
    path = settings.evidence / reports.FILE
    if not path.is_file():
        return None
    text = plainfiles.read_bounded(path, catalogfile.WHOLE_BYTES).decode("utf-8", "replace")
    return reports.parse(text, settings.shown(path))[0]
