"""zoo show"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from catalog.index import version_key
from catalog.problems import instead_of
from catalog.recipe import plain
from catalog.release import Model, ModelFile, Release
from zoo import catalogfile
from zoo.cli.common import Call, name_and_version, options
from zoo.errors import InputError
from zoo.judge.gates import Verdict
from zoo.output import megabytes
from zoo.release import RECORD, load


@click.command()
@options("catalog", "releases")
@click.argument("name")
def command(call: Call, name: str) -> None:
    """A release at a glance. NAME is a model's name, or NAME@VERSION; a published one, else one that was built."""
    settings = call.settings
    model_name, version = name_and_version(name)
    catalog = catalogfile.read_catalog(settings.catalog, settings.shown(settings.catalog))
    model = catalog.model(model_name)
    release = catalog.release(model_name, version) if version else (model.releases[0] if model else None)
    if model and release:
        glance(call, model, release, ())
        here = settings.releases / model_name / release.version / "model"
        if here.is_dir() and not call.output.json:
            call.output.answer({}, f"Its files on this machine: {settings.shown(here)}")
        return
    folder = settings.releases / model_name
    versions = _built_versions(folder) if "/" not in name else []
    built = load(folder / (version or versions[-1])) if versions else None
    if built is None:
        names = {m.name for m in catalog.models} | {p.name for p in settings.releases.glob("[a-z0-9]*")}
        remedy = instead_of(model_name, sorted(names), catalogfile.NOTHING_YET)
        raise InputError(f"there is no release {name!r}", remedy=remedy)
    glance(call, built.model, built.release, built.verdicts)


def _built_versions(folder: Path) -> list[str]:
    """Versions with a release folder, oldest first; journals and other things beside them are passed over."""
    names = [path.parent.name for path in folder.glob(f"*/{RECORD}")]
    return sorted((n for n in names if re.match(r"[0-9]+\.[0-9]+\.[0-9]+(-|\Z)", n)), key=version_key)


def glance(call: Call, model: Model, release: Release, verdicts: Sequence[Verdict]) -> None:
    """One table of files, then what else matters."""
    rows = [_row(file) for file in release.files]
    columns = ("type", "#size", "#bits per\nweight", "#KLD, nats", "#same top", "#decode,\ntokens/s", "smoke")
    notes = [model.summary]
    if any("(" in _speed(file) for file in release.files):
        notes.insert(0, "A speed in brackets was disturbed by other work on the machine.")
    if release.training and release.training.after.kld_mean_nats is not None:
        before, after = release.training.before, release.training.after
        notes.append(
            f"Training took the held-out perplexity from {before.perplexity:.4g} ± {before.perplexity_se:.2g} to "
            f"{after.perplexity:.4g} ± {after.perplexity_se:.2g}, and the KLD to the teacher from "
            f"{before.kld_mean_nats or 0:.3f} to {after.kld_mean_nats:.3f} ± {after.kld_mean_se_nats or 0:.3f} nats."
        )
    notes += [f"known difference: {sentence}" for sentence in release.differences or ()]
    notes += [f"gate {'kept' if verdict.kept else 'BROKEN'}: {verdict.sentence}" for verdict in verdicts]
    if release.location.model.name:
        place = release.location
        notes.append(
            f"Published on hub {place.hub}: {place.model.name}, tag {place.model.tag}, "
            f"commit {place.model.commit[:12]}."
        )
    if yank := model.yank_of(release.version):
        instead = f" Use {yank.replacement} instead." if yank.replacement else ""
        notes.insert(0, f"WITHDRAWN on {yank.date} (severity: {yank.severity}): {yank.reason}{instead}")
    again = [one for one in model.reproductions if one.version == release.version]
    if again:
        notes.append(
            f"Built again {len(again)} time{'s' * (len(again) > 1)}, {sum(one.identical for one in again)} identical."
        )
    data = as_data(model, release, verdicts)
    call.output.table(
        data, f"{model.name} {release.version} ({release.licence})", columns, rows, "\n".join(notes)
    )


def as_data(model: Model, release: Release, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """A release as JSON data."""
    return {**plain(model), "releases": [plain(release)], "gates": [vars(verdict) for verdict in verdicts]}


def _row(file: ModelFile) -> tuple[str, ...]:
    loss = file.loss
    return (
        file.type,
        megabytes(file.size_bytes),
        f"{file.bits_per_weight:.2f}",
        f"{loss.kld_mean_nats:.4f} ± {loss.kld_mean_se_nats:.4f}" if loss else "reference",
        f"{100 * loss.same_top_share:.1f} %" if loss else "reference",
        _speed(file),
        "passed" if file.smoke_passed else "FAILED",
    )


def _speed(file: ModelFile) -> str:
    """The best valid measurement; a disturbed one, if there is no other, in brackets."""
    valid = [speed.decode_tokens_per_second for speed in file.speeds if speed.valid]
    disturbed = [speed.decode_tokens_per_second for speed in file.speeds if not speed.valid]
    return f"{max(valid):.1f}" if valid else f"({max(disturbed):.1f})" if disturbed else ""
