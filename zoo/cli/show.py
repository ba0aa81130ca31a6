"""zoo show"""

from __future__ import annotations

import click

from catalog.problems import instead_of
from zoo import catalogfile
from zoo.cli.answers import glance
from zoo.cli.common import Call, name_and_version, options
from zoo.errors import InputError
from zoo.release import kept, load
from zoo.release.folder import built_versions


@click.command()
@options("catalog", "releases")
@click.argument("name")
def command(call: Call, name: str) -> None:
    """Show a summary of a release. NAME is a model's name, or NAME@VERSION; a published release, else a built one."""
    settings = call.settings
    model_name, version = name_and_version(name)
    model = catalogfile.read_model(settings, model_name)
    release = (model.release(version) if version else model.preferred()[0]) if model else None
    if model and release:
        glance(call, model, release, ())
        copy = kept.published(model_name, release, settings)
        here = (copy.folder if copy else settings.releases / model_name / release.version) / "model"
        if here.is_dir() and not call.output.json:
            call.output.answer({}, f"Its files on this machine: {settings.shown(here)}")
        return
    folder = settings.releases / model_name
    versions = built_versions(settings.releases, model_name)
    built = load(folder / (version or versions[-1])) if versions else None
    if built is None:
        catalog = catalogfile.read_catalog(settings.catalog, settings.shown(settings.catalog))
        names = {m.name for m in catalog.models} | {p.name for p in settings.releases.glob("[a-z0-9]*/")}
        remedy = instead_of(model_name, sorted(names), catalogfile.NOTHING_YET)
        raise InputError(f"release {name!r} was not found", remedy=remedy)
    glance(call, built.model, built.release, built.verdicts)
