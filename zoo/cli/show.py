"""zoo show"""

from __future__ import annotations

import click

from catalog.index import LIST
from catalog.problems import instead_of
from zoo import catalogfile
from zoo.cli.answers import glance
from zoo.cli.common import Call, name_and_version, options
from zoo.commandline import TAKES
from zoo.errors import InputError
from zoo.release import kept, load
from zoo.release.folder import built_versions
from zoo.settings import Settings


@click.command()
@options(*TAKES["show"])
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
        raise _unknown(settings, model_name, version, [*(one.version for one in model.releases)] if model else versions)
    glance(call, built.model, built.release, built.verdicts)


def _unknown(settings: Settings, name: str, version: str, versions: list[str]) -> InputError:
    """versions: those that the model has, published or built."""
    if versions:
        what = f"version {version!r} of {name} was not found" if version else f"no release of {name} is complete"
        return InputError(what, remedy=f"Available: {', '.join(versions)}")
    catalog = catalogfile.read(settings)
    built = [path.name for path in settings.releases.glob("[a-z0-9]*/") if built_versions(settings.releases, path.name)]
    if name in {path.stem for path in (settings.root / "recipes").glob("*.yaml")} or not built:
        return catalogfile.unknown(catalog.names, name, settings.root)
    known = sorted({*built, *(one.name for one in catalog.models)})
    remedy = instead_of(name, known, more=f"All models: {LIST}")
    return InputError(f"the catalog has no model {name!r}, and none is built", remedy=remedy)
