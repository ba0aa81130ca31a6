"""Runs: all of them, one with its steps, and the log of one."""

from __future__ import annotations

from collections.abc import Sequence

from catalog import shell
from catalog.jsontext import JsonObject
from catalog.words import counted
from zoo.runs import reader
from zoo.runs import views as words
from zoo.runs.reader import Summary
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table

LOG_LINES = 500
"""Newest events of a log."""
RESUMED = ("build", "release", "publish", "pull", "reproduce")
"""Commands that continue where they ended."""
SAFE = "Stopping it is safe: Ctrl-C in its terminal. Finished steps are kept, and the same command resumes."


def listed(found: Sequence[Summary]) -> Screen:
    """Every run, the newest first."""
    rows = [Row(words.row(one), ("run", one.id)) for one in found]
    busy = sum(one.state in ("running", "silent") for one in found)
    died = sum(one.state == "died" for one in found)
    counts = f"{counted(len(found), 'run')}: {busy} running, {died} died, {len(found) - busy - died} over."
    table = Table(("id", "began (UTC)", "state", "command"), rows, empty="No command has taken more than a second yet.")
    if not found:
        return Screen("Runs", (table,))
    return Screen("Runs", (counts, table), ("zoo runs follow ID", "zoo runs show ID"))


def one(found: Summary, events: Sequence[JsonObject]) -> Screen:
    """A run: its state, what stopping it means, its plan and its steps."""
    is_alive = found.state in ("running", "silent")
    parts = [*([SAFE] if is_alive else []), words.show(found, events)]
    follow = f"zoo runs {'follow' if is_alive else 'replay'} {shell.argument(found.id)}"
    again = (found.command,) if _resumes(found) else ()
    return Screen(f"Run {found.id}: {found.words}", tuple(parts), (*again, f"zoo ui log {found.id}", follow))


def _resumes(found: Summary) -> bool:
    """Whether its command resumes it. A secret of the command line was not kept, so then that line is another one."""
    is_over = found.state in ("died", "stopped", "failed")
    return is_over and "***" not in found.command and found.command.split()[1:2] in [[name] for name in RESUMED]


def log(found: Summary, events: Sequence[JsonObject]) -> Screen:
    """The newest events of a run."""
    shown = words.log(events) or "It has written nothing yet."
    title = f"Log of run {found.id}: {found.words}"
    return Screen(title, (found.command, shown), (f"zoo ui run {found.id}",))


def stamp(asked: Asked) -> object:
    """Changes when a run begins, writes, falls silent or is gone."""
    return reader.stamp(asked.settings.work)


def look(asked: Asked) -> Screen:
    """The runs of this zoo."""
    return listed(reader.look(asked.settings.work, asked.known))


def look_at_one(asked: Asked) -> Screen:
    """The run with the id, or the newest one. Raises InputError."""
    found = reader.find(asked.settings.work, asked.name or "last")
    return one(found, [event for event in reader.events(found.path) if event["event"] not in ("say", "progress")])


def look_at_log(asked: Asked) -> Screen:
    """The log of the run with the id, or of the newest one. Raises InputError."""
    found = reader.find(asked.settings.work, asked.name or "last")
    return log(found, reader.newest(found.path, LOG_LINES))
