"""zoo catalog"""

from __future__ import annotations

import click

from catalog import yanks
from catalog.recipe import plain
from catalog.versions import is_prerelease
from catalog.words import counted, data_size
from zoo import catalogfile
from zoo.cli.common import Call, options
from zoo.commandline import TAKES


@click.command()
@options(*TAKES["catalog"])
def command(call: Call) -> None:
    """List every release in the catalog. Withdrawn versions are marked, with the reason."""
    settings = call.settings
    catalog = catalogfile.read(settings)
    rows, notes = [], list[str]()
    for model in catalog.models:
        for release in model.releases:
            sizes = [file.size_bytes for file in release.files]
            span = f"{counted(len(sizes), 'file')}, {data_size(min(sizes))} to {data_size(max(sizes))}"
            mark = "pre-release" if is_prerelease(release.version) else ""
            if model.yank_of(release.version) and (event := yanks.standing(catalog, model.name, release.version)):
                mark = "WITHDRAWN"
                notes.append(f"{model.name} {release.version}: {yanks.sentence(event)}")
            rows.append((model.name, release.version, mark, release.date, span))
    data = {"models": [plain(model) for model in catalog.models]}
    columns = ("model", "version", "", "date", "files")
    note = "\n".join(notes) if rows else "Nothing is released yet. Begin with: zoo release NAME"
    call.output.table(data, settings.shown(settings.catalog), columns, rows, note)
