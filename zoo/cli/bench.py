"""zoo bench"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from catalog import history as formats
from catalog import shell
from catalog.history import FIGURES, Figure, History
from catalog.release import Model
from catalog.words import counted
from zoo import catalogfile
from zoo.cli import boards
from zoo.cli.common import Call, options
from zoo.errors import InputError
from zoo.history import store, tracks, views
from zoo.history.tracks import SHORT, Alarm, Track

_CHOICES: dict[str, Figure] = {SHORT[figure]: figure for figure in FIGURES}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Measure a model's files on boards, and show how fast they were over time."""


command.add_command(boards.run)


@command.command()
@options("catalog", "evidence")
@click.option("--csv", "form", flag_value="csv", help="Print one line per run, for a spreadsheet.")
@click.option("--svg", "form", flag_value="svg", help="Print one picture: every run, and the band of what is usual.")
@click.option("--figure", type=click.Choice(tuple(_CHOICES)), default="decode", show_default=True,
              help="Speed that the picture shows.")  # fmt: skip
@click.option("--only", multiple=True, metavar="WORD", help="Only this file type, or this device. May be given twice.")
@click.option("--check", is_flag=True, help="End with exit code 3 if an alarm is not accepted.")
@click.argument("name")
def history(call: Call, name: str, form: str | None, figure: str, only: tuple[str, ...], check: bool) -> int:
    """Show every known measurement of NAME, with the band of what is usual, alarms and changes.

    Two valid runs in a row below the band are an alarm. Runs with another file, device, setting or llama.cpp are not
    compared.
    """
    model, found = _known(call, name)
    every = tracks.tracks(found)
    shown = [one for one in every if set(only) <= {one.type, one.device}]
    if every and not shown:
        known = dict.fromkeys([*(one.type for one in every), *(one.device for one in every)])
        raise InputError(f"no measurement of {name} is for {' and '.join(only)}", remedy=f"Known: {', '.join(known)}")
    if form == "svg":
        _picture(call, name, shown, _CHOICES[figure])
    else:
        words = views.as_csv(shown) if form == "csv" else views.as_text(model.name, found, shown)
        call.output.answer(views.as_data(model.name, found, shown), words)
    return 3 if check and any(tracks.alarms(track) for track in shown) else 0


def _known(call: Call, name: str) -> tuple[Model, History]:
    settings = call.settings
    catalog = catalogfile.read(settings)
    model, _ = catalogfile.find(catalog, name, settings.root)
    found = store.read(settings.evidence, model)
    place = settings.shown(store.path_of(settings.evidence, name))
    for one in found.aside:
        call.output.warn(f"{place}:{one.number}: this line is set aside: {one.why}. The other lines are read.")
    return model, found


def _picture(call: Call, name: str, shown: list[Track], figure: Figure) -> None:
    if len(shown) != 1:
        ways = [f"--only {one.type} --only {shell.argument(one.device)}" for one in shown]
        raise InputError(
            f"a picture shows one type on one device, and this is {counted(len(shown), 'history', 'histories')}",
            remedy=f"Choose one: {', '.join(ways)}" if ways else f"See: zoo bench history {name}",
        )
    from zoo.site.pages.charts import trend

    chart = trend.trend(shown[0], figure)
    call.output.answer({"title": chart.title, "text": chart.text, "svg": trend.alone(chart)}, trend.alone(chart))


@command.command("import", short_help="Add benchmark reports to the history of their models.")
@options("catalog", "evidence")
@click.option("--model", "name", metavar="NAME", help="The model of a file that the catalog does not have.")
@click.option("--commit", metavar="SHA", help="The commit that was measured, with -dirty at its end if files differed.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
def import_(call: Call, files: tuple[Path, ...], name: str | None, commit: str | None) -> None:
    """Add each FILE to the history of its model: a report, or a history that pi-zoo bench kept.

    A report that the history already has is not added again. Reports that are not valid are kept and marked.
    """
    settings = call.settings
    if commit is not None and not re.fullmatch(formats.COMMIT, commit):
        raise InputError(f"--commit {commit!r} is not a commit", remedy="Write what git rev-parse HEAD prints")
    catalog = catalogfile.read(settings)
    if name is not None:
        catalogfile.find(catalog, name, settings.root)
    lines: dict[str, list[dict[str, object]]] = {}
    for path in files:
        given = store.given(path, commit)
        for line in given.aside:
            call.output.warn(f"{path}:{line.number}: this line is set aside: {line.why}")
        for model, some in _lines(given, catalog.models, name, path).items():
            lines.setdefault(model, []).extend(some)
    done = [store.add(settings.evidence, model, some) for model, some in lines.items()]
    words = [f"{one.model}: {counted(one.added, 'line')} added, {one.known} known already" for one in done]
    call.output.answer({"models": [vars(one) for one in done]}, "\n".join(words))
    for one in done:
        call.output.say(f"See: zoo bench history {one.model}")


def _lines(
    given: History, models: Sequence[Model], name: str | None, path: Path
) -> dict[str, list[dict[str, object]]]:
    """Lines to add, by model. An acknowledgement goes where the run is that it is about."""
    found: dict[str, list[dict[str, object]]] = {}
    home: dict[str, str] = {}
    for run in given.runs:
        place = formats.placed(run, models)
        if place is None and name is None and run.model not in {one.name for one in models}:
            raise InputError(
                f"the catalog has no file with the digest {run.sha256[:12]}... of this report ({run.file_name})",
                where=str(path), safe="Nothing was imported.",
                remedy=f"Name its model: zoo bench import {shell.argument(str(path))} --model NAME",
            )  # fmt: skip
        model, version, type_ = place or (name or str(run.model), run.version, run.type)
        line = formats.run_line(run.report, model=model, version=version, type_=type_, commit=run.commit)
        found.setdefault(model, []).append(line)
        home[run.id] = model
    for ack in given.acks:
        if ack.run in home:
            found[home[ack.run]].append(formats.ack_line(ack.at_utc, ack.run, ack.figure, ack.by, ack.reason))
    return found


@command.command(short_help="Accept a slower level, and say why.")
@options("catalog", "evidence")
@click.option("--run", "run_id", metavar="ID", help="The run at which the alarm began, if there are several alarms.")
@click.option("--by", required=True, metavar="NAME", help="Who accepts it.")
@click.option("--reason", required=True, help="Why it is accepted.")
@click.argument("name")
def ack(call: Call, name: str, run_id: str | None, by: str, reason: str) -> None:
    """Accept the alarm of NAME: the slower level is then what is usual. The history keeps who accepted it and why."""
    _, found = _known(call, name)
    standing = [alarm for track in tracks.tracks(found) for alarm in tracks.alarms(track)]
    chosen = [alarm for alarm in standing if run_id in (None, alarm.run.id)]
    if not chosen or (run_id is None and len({alarm.run.id for alarm in chosen}) > 1):
        raise InputError(_not_one(name, standing, run_id), remedy=f"See: zoo bench history {name}")
    if not by.strip() or not reason.strip():
        raise InputError("--by and --reason need words")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [formats.ack_line(now, one.run.id, one.figure, by.strip(), reason.strip()) for one in chosen]
    store.add(call.settings.evidence, name, lines)
    words = [f"Accepted: {views.alarm_words(one)}, on {one.track.device}" for one in chosen]
    call.output.answer({"model": name, "accepted": lines}, "\n".join(words))


def _not_one(name: str, standing: list[Alarm], run_id: str | None) -> str:
    if not standing:
        return f"{name} has no alarm"
    ids = ", ".join(f"--run {one.run.id} ({views.alarm_words(one)})" for one in standing)
    return f"{name} has no alarm of run {run_id}: {ids}" if run_id else f"{name} has several alarms: {ids}"
