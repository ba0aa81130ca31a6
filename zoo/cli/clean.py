"""zoo clean"""

from __future__ import annotations

import click

from catalog.words import counted, data_size
from zoo.cli.common import Call, options
from zoo.plan import clean
from zoo.release import kept


@click.command()
@options("work", "releases")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, but delete nothing.")
@click.argument("kinds", nargs=-1, metavar="[KIND]...", type=click.Choice(tuple(clean.KINDS)))
def command(call: Call, dry_run: bool, kinds: tuple[str, ...]) -> None:
    """Delete caches of the work folder: KIND is tensors, interrupted, joined, teachers or runs.

    Without KIND, show their sizes.

    Finished steps, labels and releases stay. Deleted caches are made again, byte for byte, when they are needed.
    KIND published is different: the published copies of versions that were built again, which no build makes again.
    """
    copies = tuple(kept.kept(call.settings.releases))
    found = {one.kind: one for one in clean.look(call.settings.work, copies)}
    chosen = list(dict.fromkeys(kinds)) or list(clean.KINDS)
    delete = bool(kinds) and not dry_run
    if delete:
        for kind in chosen:
            call.output.say(f"{kind}: {counted(found[kind].files, 'file')}, {data_size(found[kind].size_bytes)}")
        found = {kind: clean.clean(call.settings.work, kind, call.output, copies) for kind in chosen}
    rows = [
        (kind, str(found[kind].files), data_size(found[kind].size_bytes), clean.KINDS[kind])
        for kind in chosen
    ]
    busy = sum(found[kind].busy for kind in chosen)
    data = {"deleted": delete, "kinds": [vars(found[kind]) for kind in chosen]}
    title = "deleted" if delete else "can be deleted"
    notes = ["Nothing was deleted."] if not delete else []
    if not kinds:
        notes.append("Delete with, for example: zoo clean tensors")
    if busy:
        notes.append(f"{busy} skipped: another running zoo uses them.")
    call.output.table(data, title, ("kind", "#files", "#size", "what it is"), rows, "\n".join(notes))
