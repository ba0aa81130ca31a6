"""zoo reproduce"""

from __future__ import annotations

import datetime

import click

from catalog.release import Model, Release
from zoo import catalogfile
from zoo.cli.common import Call, name_and_version, options
from zoo.upkeep.reproduce import compare, reproduce

DIFFERS = 3
UNDECIDED = 1


@click.command()
@options("work", "releases", "catalog", "evidence", "threads")
@click.option(
    "--quants-only",
    is_flag=True,
    help="Rebuild only the quants, from the released reference file in the release folder.",
)
@click.option("--no-record", is_flag=True, help="Only compare. Do not record the result or change the catalog.")
@click.option("--keep", is_flag=True, help="Keep the rebuilt files in the work folder.")
@click.argument("name")
def command(call: Call, name: str, quants_only: bool, no_record: bool, keep: bool) -> int:
    """Rebuild the files of NAME (or NAME@VERSION) from what the catalog records, and compare them byte for byte.

    Exit code 0: every file is identical. 3: something differs that must be the same on every machine; the answer names
    it. 1: the command failed, or files differ only in ways that another processor explains.
    """
    settings = call.settings
    model, release = _find(call, name)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    outcome = reproduce.reproduce(
        model, release, quants_only=quants_only, date=today, settings=settings, report=call.output
    )
    if not no_record:
        reproduce.write(outcome, settings)
    if not keep:
        reproduce.clean(outcome, settings)
    said = [f"{model.name} {release.version}", *compare.lines(outcome.results, outcome.changes)]
    said.append(_sum(outcome))
    if not no_record:
        said.append(
            f"Recorded in {settings.shown(settings.catalog)} and as evidence {outcome.entry.evidence}."
        )
    call.output.answer(outcome.record, "\n".join(said))
    if outcome.refuted:
        return DIFFERS
    return 0 if outcome.identical else UNDECIDED


def _sum(outcome: reproduce.Outcome) -> str:
    entry = outcome.entry
    if entry.identical:
        return f"Reproduced: {entry.files} of {entry.files} files are identical."
    if not outcome.refuted:
        return (
            f"Neither confirmed nor refuted: {entry.files_identical} of {entry.files} files are identical, and the "
            "others differ only in ways that another processor explains."
            " To compare the bytes, run this on the kind of "
            "processor that made the release."
        )
    why = (
        ", perhaps because of the tools that changed"
        if outcome.changes
        else ", although the tools are the same as then"
    )
    return f"Not reproduced: {entry.files_identical} of {entry.files} files are identical{why}."


def _find(call: Call, name: str) -> tuple[Model, Release]:
    settings = call.settings
    model_name, version = name_and_version(name)
    model = catalogfile.read_model(settings, model_name)
    if model and (release := model.release(version) if version else model.preferred()[0]):
        return model, release
    # Its names and versions make the refusal.
    catalog = catalogfile.read(settings)
    return catalogfile.find(catalog, model_name, settings.root, version)
