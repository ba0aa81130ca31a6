"""zoo catalog"""

from __future__ import annotations

import click

from catalog.recipe import plain
from catalog.words import counted, data_size
from zoo import catalogfile
from zoo.cli.common import Call, options


@click.command()
@options("catalog")
def command(call: Call) -> None:
    """List every release in the catalog."""
    settings = call.settings
    catalog = catalogfile.read_catalog(settings.catalog, settings.shown(settings.catalog))
    rows = []
    for model in catalog.models:
        for release in model.releases:
            sizes = [file.size_bytes for file in release.files]
            span = f"{counted(len(sizes), 'file')}, {data_size(min(sizes))} to {data_size(max(sizes))}"
            rows.append((model.name, release.version, release.date, span))
    data = {"models": [plain(model) for model in catalog.models]}
    columns = ("model", "version", "date", "files")
    note = "" if rows else "Nothing is released yet. Begin with: zoo release NAME"
    call.output.table(data, settings.shown(settings.catalog), columns, rows, note)
