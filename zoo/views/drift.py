"""What differs from what it should be: files that are made from others, and what the hub serves."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.jsontext import JsonObject
from catalog.words import counted
from zoo.runs import reader
from zoo.runs.reader import Summary
from zoo.sync import derived, parts, table
from zoo.sync.derived import Drift
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table

CODES: dict[object, str] = {0: "no difference", 3: "differences to the record"}
"""What the exit codes of ``zoo watch`` mean."""


def screen(drifts: Sequence[Drift], watched: Summary | None, events: Sequence[JsonObject]) -> Screen:
    """watched: the newest run of ``zoo watch``; events: what it printed."""
    rows = [Row((one.path, one.source, one.command)) for one in drifts]
    files = Table(("file", "differs from", "command"), rows, empty="Every file that is made from others is up to date.")
    found = f"{counted(len(rows), 'file')} to update." if rows else "Files:"
    commands = (*dict.fromkeys(one.command for one in drifts), "zoo watch")
    return Screen("Drift", (found, files, "\n".join(_watched(watched, events))), commands)


def _watched(watched: Summary | None, events: Sequence[JsonObject]) -> list[str]:
    if watched is None:
        return ["The hub: no run of zoo watch is recorded on this machine."]
    code = watched.last.get("code")
    result = CODES.get(code, watched.words) if watched.last.get("event") == "end" else watched.words
    lines = [f"The hub, as zoo watch saw it on {watched.began[:16].replace('T', ' ')} UTC: {result}"]
    said = [str(event["text"]) for event in events if event["event"] in ("answer", "warning", "error")]
    return [*lines, *(f"  {line}" for text in said for line in text.split("\n"))]


def look(asked: Asked) -> Screen:
    """The files of this zoo, and the newest look at the hub. Raises InputError for a damaged record of files."""
    root = asked.settings.root
    drifts = derived.drifts(root, table.ROWS) if table.is_program(root) else parts.drifts(root)
    runs = reader.look(asked.settings.work)
    watched = next((one for one in runs if one.command.split()[:2] == ["zoo", "watch"]), None)
    events = [event for event in reader.events(watched.path) if "text" in event] if watched else []
    return screen(drifts, watched, events)
