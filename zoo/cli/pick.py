"""zoo pick"""

from __future__ import annotations

import dataclasses
import math

import click

from catalog import device as devices
from catalog import memory, reports
from catalog.device import Device
from catalog.release import Model, ModelFile, Release, YankEvent
from catalog.reports import Measurement
from catalog.words import data_size
from zoo import catalogfile
from zoo.choose import commands, ranking, reported, saying
from zoo.choose import pick as picks
from zoo.choose.candidates import Tolerance
from zoo.choose.pick import Judged, Pick
from zoo.cli.common import Call, device_named, name_and_version, options
from zoo.errors import InputError, ZooError
from zoo.settings import Settings


@click.command()
@options("catalog")
@click.option("--device", "device_id", metavar="ID", help="A board with a device profile, such as pi-5-4gb.")
@click.option(
    "--memory-gb", type=float, metavar="G", help="For another machine: its memory in GB, as sold."
)
@click.option("--bandwidth-gbs", type=float, metavar="B", help="For another machine: its memory bandwidth in GB/s.")
@click.option(
    "--context", "asked_tokens", type=int, metavar="N",
    help=f"Context length in tokens. [default: {picks.CONTEXT_TOKENS}, or the model's own if that is shorter]",
)  # fmt: skip
@click.option(
    "--kv", type=click.Choice([*memory.KV_TYPES]), default=memory.KV_TYPE, show_default=True,
    help="Type of the KV cache. Quantized ones take less memory; llama.cpp needs -fa on for them.",
)  # fmt: skip
@click.option(
    "--min-speed", "least_speed", type=float, metavar="T",
    help="Minimum decode speed in tokens/s. Without it, reading speed is preferred.",
)  # fmt: skip
@click.option(
    "--tolerance",
    type=float,
    metavar="NATS",
    help="Largest mean KLD (loss) you accept. 0 picks the file with the lowest loss. [default: "
    f"{picks.TOLERANCE.kld_mean_nats:g}, with {100 * picks.TOLERANCE.same_top_share:g} % same top token]",
)
@click.option("--pre", is_flag=True, help="Accept a pre-release, such as 1.1.0-rc.1, if it is the newest version.")
@click.option("--experimental", is_flag=True, help="Accept an experimental model, and one no better than guessing.")
@click.argument("name")
def command(
    call: Call,
    name: str,
    pre: bool,
    experimental: bool,
    device_id: str | None,
    memory_gb: float | None,
    bandwidth_gbs: float | None,
    asked_tokens: int | None,
    kv: str,
    least_speed: float | None,
    tolerance: float | None,
) -> int:
    """Recommend one file of NAME (or NAME@VERSION) for a board, with the reason.

    It is the smallest file that leaves room to spare, reaches reading speed (5 tokens/s) and stays close to its source
    (KLD within the tolerance), else the one with the lowest loss, or the fastest good one. A speed is measured if the
    catalog has a valid measurement on this device or one with the same processor, else predicted. Exit code 1 if no
    file fits, none is fast enough, all failed the smoke test, the version was yanked, or the model is experimental or
    no better than guessing.
    """
    settings = call.settings
    model_name, version = name_and_version(name)
    catalog = catalogfile.read(settings)
    found = catalogfile.find(catalog, model_name, settings.root, version)
    device = _device(device_id, memory_gb, bandwidth_gbs)
    model, release = _release(found, version, pre=pre, experimental=experimental)
    model, release = _with_shared(settings, model, release)
    context_tokens = picks.usual_context(release) if asked_tokens is None else asked_tokens
    if context_tokens > (own := release.architecture.context_tokens) > 0:
        raise InputError(
            f"a context of {context_tokens:,} tokens is longer than the model's own, {own:,} tokens",
            remedy=f"Write --context {own} or less",
        )
    try:
        asked = picks.TOLERANCE if tolerance is None else Tolerance(tolerance)
        pick = picks.pick(release, device, context_tokens, least_speed, asked, kv)
    except ValueError as error:
        raise InputError(str(error), remedy="See: zoo pick --help") from error
    if pick.file and (share := ranking.at_chance(model, release, catalog.models)):
        pick = _at_chance(pick, model_name, saying.chance(share), experimental=experimental)
    run = _commands(model_name, release, pick)
    title = f"{model_name} {release.version} on {device.name}, {context_tokens:,} tokens of context"
    call.output.answer(_data(model_name, release, pick, least_speed, run), _words(title, release, pick, run))
    for assumption in pick.speed.prediction.assumptions if pick.speed else ():
        call.output.say(f"Prediction: {assumption}")
    return 0 if pick.file else 1


def _device(device_id: str | None, memory_gb: float | None, bandwidth_gbs: float | None) -> Device:
    described = memory_gb is not None or bandwidth_gbs is not None
    if device_id is not None and described:
        raise InputError("both a board and your own machine are given", remedy="Leave one of them out")
    if device_id is not None:
        return device_named(device_id)
    if not described:
        raise InputError(
            "no device is given",
            remedy=f"Add --device with one of: {_ids()}; or --memory-gb and --bandwidth-gbs",
        )
    if memory_gb is None or bandwidth_gbs is None:
        raise InputError("your own machine needs both --memory-gb and --bandwidth-gbs")
    try:
        return devices.custom(_bytes(memory_gb), bandwidth_gbs * devices.GIGA)
    except ValueError as error:
        raise InputError(str(error), remedy="Write positive numbers, such as --memory-gb 16") from error


def _bytes(memory_gb: float) -> int:
    if not math.isfinite(memory_gb * devices.GIBI):
        raise ValueError(f"memory of {memory_gb} GB is not a valid amount")
    return round(memory_gb * devices.GIBI)


def _ids() -> str:
    return ", ".join(device.id for device in devices.DEVICES)


def _release(found: tuple[Model, Release], version: str, *, pre: bool, experimental: bool) -> tuple[Model, Release]:
    (model, release), name = found, found[0].name
    if model.experimental and not experimental:
        bad = f" It is bad at: {'; '.join(model.bad_at)}." if model.bad_at else ""
        raise ZooError(
            f"{name} is experimental, so no file of it is recommended.{bad}",
            remedy=f"For a file of it anyway, run: zoo pick {name} --experimental, with the same options",
        )
    if not version:
        release = picks.current(model, pre=pre) or release
    if yanked := model.yank_of(release.version):
        raise _not_recommended(model, yanked)
    return model, release


def _with_shared(settings: Settings, model: Model, release: Release) -> tuple[Model, Release]:
    """The same with the speeds that other people shared; a report with problems is left out, as zoo check says."""
    found: dict[str, list[Measurement]] = {}
    for path in reports.paths(settings.evidence, model.name):
        report = reports.read(path, settings.shown(path))
        if not isinstance(report, list):
            found.setdefault(reports.version_of(path), []).append(report)
    joined = reported.joined(model, found)
    return joined, joined.release(release.version) or release


def _at_chance(pick: Pick, name: str, words: str, *, experimental: bool) -> Pick:
    """The pick of a model that is no better than guessing, for somebody who accepts that. Raises ZooError otherwise."""
    if not experimental:
        raise ZooError(
            f"{name} is no better than guessing, so no file of it is recommended. {words}",
            remedy=f"For a file of it anyway, run: zoo pick {name} --experimental, with the same options",
        )
    return dataclasses.replace(pick, reason=f"{words} {pick.reason}")


def _not_recommended(model: Model, yanked: YankEvent) -> ZooError:
    """The text for a yanked version, or for a model with only yanked versions."""
    other = picks.current(model)
    known = yanked.replacement or (f"{model.name}@{other.version}" if other else "")
    return ZooError(
        f"{model.name} {yanked.version} was yanked on {yanked.date}, so no file of it is recommended: {yanked.reason}",
        remedy=f"Ask for {known}" if known else "No version of it is left: choose another model",
    )


def _commands(name: str, release: Release, pick: Pick) -> list[str]:
    """Commands that fetch the file, if its hub has one, and run it."""
    if pick.file is None:
        return []
    fetch = commands.download(name, release, pick.file)
    return [*(fetch or []), commands.start(release, pick.file.path, pick.context_tokens)]


def _words(title: str, release: Release, pick: Pick, run: list[str]) -> str:
    lines = [title, ""]
    if pick.file is None:
        lines.append(f"No file recommended. {pick.reason}")
    else:
        lines += [
            f"Recommended: {pick.file.path} ({data_size(pick.file.size_bytes)}).",
            pick.reason,
            "",
            *([commands.COMPLETES] if commands.completes(release) else []),
            "Run it:",
        ]
        lines += [f"  {line}" for line in run]
    for heading, judged in (("Runners-up", pick.runners_up), ("Rejected", pick.rejected)):
        if judged:
            lines += ["", f"{heading}:", *(f"  {one.file.path}: {one.reason}" for one in judged)]
    return "\n".join(lines)


def _data(name: str, release: Release, pick: Pick, least: float | None, run: list[str]) -> dict[str, object]:
    """The answer as JSON. A speed is under ``measured`` or ``predicted``, never under both names."""
    return {
        "name": name,
        "version": release.version,
        "device": dataclasses.asdict(pick.device),
        "context_tokens": pick.context_tokens,
        "least_tokens_per_second": least,
        "file": _file(pick.file) if pick.file else None,
        "reason": pick.reason,
        "predicted_memory_bytes": pick.memory_bytes,
        "decode_speed": _speed(pick),
        "commands": run,
        "runners_up": [_judged(one) for one in pick.runners_up],
        "rejected": [_judged(one) for one in pick.rejected],
    }


def _speed(pick: Pick) -> dict[str, object] | None:
    speed = pick.speed
    if speed is None:
        return None
    if speed.measured:
        return {"words": speed.words, "measured": {"tokens_per_second": speed.typical}}
    figures = {k: v for k, v in vars(speed.prediction).items() if k != "assume"}
    assumptions = list(speed.prediction.assumptions)
    return {"words": speed.words, "predicted": {**figures, "assumptions": assumptions}}


def _file(file: ModelFile) -> dict[str, object]:
    return {"path": file.path, "type": file.type, "size_bytes": file.size_bytes, "sha256": file.sha256}


def _judged(one: Judged) -> dict[str, object]:
    return {**_file(one.file), "reason": one.reason}
