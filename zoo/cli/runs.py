"""zoo runs"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import click

from catalog.jsontext import JsonObject
from zoo.cli.common import Call, options
from zoo.runs import reader, views


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@options("work")
@click.pass_context
def command(context: click.Context, call: Call) -> None:
    """List the runs of this zoo: running, finished, failed, stopped, or died, and at which step.

    Every command that takes more than a second keeps a journal. ID is the id of a run, its beginning or end, or last.
    """
    if context.invoked_subcommand is not None:
        return
    found = reader.look(call.settings.work)
    note = "See one with: zoo runs show ID" if found else "No command has taken more than a second yet."
    data = {"runs": [views.as_data(one) for one in found]}
    call.output.table(data, "runs", ("id", "began (UTC)", "state", "command"), [views.row(one) for one in found], note)


@command.command(short_help="Show the steps of a run, its warnings and its result.")
@options("work")
@click.argument("name", metavar="ID")
def show(call: Call, name: str) -> None:
    """Show the state of run ID, its plan, its steps with their reasons, its warnings, result and cost."""
    one = reader.find(call.settings.work, name)
    told = [event for event in reader.events(one.path) if event["event"] not in ("say", "progress")]
    call.output.answer({**views.as_data(one), "events": told}, views.show(one, told))


@command.command(short_help="Show the last lines of a run's log.")
@options("work")
@click.option("--lines", type=click.IntRange(1), default=200, show_default=True, help="How many events.")
@click.argument("name", metavar="ID")
def log(call: Call, name: str, lines: int) -> None:
    """Show the last events of run ID."""
    one = reader.find(call.settings.work, name)
    found = reader.newest(one.path, lines)
    call.output.answer({**views.as_data(one), "events": found}, views.log(found))


@command.command(short_help="Show what a run does while it works.")
@options("work")
@click.argument("name", metavar="ID")
def follow(call: Call, name: str) -> None:
    """Show the log of run ID and what it does now, until it ends. Ctrl-C ends only this view, never the run."""
    one = reader.find(call.settings.work, name)
    with call.output.resting():
        for event in reader.follow(one.path):
            _print(call, event)
    ended = reader.summary(one.path)
    if ended:
        call.output.say(f"{ended.words}: {views.STATES[ended.state]}")


@command.command(short_help="Show a run again, as fast as it was or faster.")
@options("work")
@click.option("--speed", type=click.FloatRange(min=0), default=0.0, metavar="FACTOR",
              help="1 for the times of the run, 10 for ten times as fast, 0 (the default) for no pauses.")  # fmt: skip
@click.argument("name", metavar="ID")
def replay(call: Call, name: str, speed: float) -> None:
    """Show every event of run ID from its journal, in order."""
    one = reader.find(call.settings.work, name)
    with call.output.resting():
        for pause, event in _paused(reader.events(one.path)):
            if speed and pause > 0:
                time.sleep(pause / speed)
            _print(call, event)


_EPOCH = datetime.fromtimestamp(0, UTC)


def _print(call: Call, event: JsonObject) -> None:
    text = views.line(event)
    if call.output.json or text:
        call.output.line(event, text)


def _paused(events: Iterable[JsonObject]) -> Iterator[tuple[float, JsonObject]]:
    """(seconds since the event before, event); 0 where a time is not one."""
    before: datetime | None = None
    for event in events:
        try:
            now = datetime.fromisoformat(str(event.get("at")))
            pause = (now - before).total_seconds() if before else 0.0
        except (ValueError, TypeError):
            now, pause = before or _EPOCH, 0.0
        yield pause, event
        before = now
