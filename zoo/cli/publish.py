"""zoo publish"""

from __future__ import annotations

from typing import Any

import click

from zoo import flow
from zoo.assemble import ReleaseFolder
from zoo.cli.common import SETTING_OPTIONS, Call, options
from zoo.flow import Planned
from zoo.output import megabytes
from zoo.publish.apply import Published


@click.command()
@options(*SETTING_OPTIONS)
@click.option("--dry-run", is_flag=True, help="Show what would be uploaded, file by file, and stop.")
@click.argument("recipe")
def command(call: Call, recipe: str, dry_run: bool) -> None:
    """Publish the built release of RECIPE (a name or a file). Its gates must be kept."""
    planned = flow.make_plan(recipe, call.settings)
    release = flow.existing_release(planned, call.settings)
    if dry_run:
        _dry_run(call, planned, release)
        return
    published, _ = flow.publish(planned, release, call.settings, call.output)
    result = result_of(planned, release, published)
    call.output.answer(result, str(result["sentence"]))


def result_of(planned: Planned, release: ReleaseFolder, published: Published) -> dict[str, Any]:
    """The answer of a publication."""
    place = published.location
    verb = "was released before" if published.already else "is released"
    parts = [f"model {place.model.name} at {place.model.commit[:12]}"]
    if place.dataset:
        parts.append(f"dataset {place.dataset.name} at {place.dataset.commit[:12]}")
    return {
        "name": planned.plan.name,
        "version": planned.plan.version,
        "already_released": published.already,
        "hub": place.hub,
        "model": vars(place.model),
        "dataset": vars(place.dataset) if place.dataset else None,
        "sentence": f"{release.model.name} {release.release.version} {verb}: {', '.join(parts)}.",
    }


def _dry_run(call: Call, planned: Planned, release: ReleaseFolder) -> None:
    _, targets = flow.targets(planned, release, call.settings)
    rows, repositories = [], []
    for target in targets:
        changes = [vars(change) for change in target.plan.changes]
        repositories.append(
            {"kind": target.kind, "name": target.name, "parent": target.plan.parent, "changes": changes}
        )
        rows += [
            (target.kind, change.action, change.path, megabytes(change.size_bytes), change.reason)
            for change in target.plan.changes
        ]
    total = sum(target.plan.upload_bytes for target in targets)
    data = {
        "name": planned.plan.name,
        "version": planned.plan.version,
        "upload_bytes": total,
        "repositories": repositories,
    }
    title = f"{planned.plan.name} {planned.plan.version}: nothing was changed"
    columns = ("repository", "action", "path", "#size", "reason")
    call.output.table(data, title, columns, rows, f"Would upload {megabytes(total)}.")
