"""Reads journals of runs: what runs, what is over, and what died, with the step it died at.

The truth about a run is the lock of its journal and not its last line: a process that was killed cannot write that it
is gone. Journals may be large, so a list reads only the first and the last lines.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catalog import jsontext
from catalog.jsontext import JsonObject
from zoo.errors import InputError
from zoo.files import journal
from zoo.runs.places import FOLDER, SUFFIX, is_locked

TAIL_BYTES = 256 << 10
"""Of a journal, to find out how it ended: a thousand lines."""
SILENT_SECONDS = 30.0
"""After so long without a heartbeat, a run that holds its lock is suspended, or its disk hangs."""

State = Literal["running", "silent", "finished", "failed", "stopped", "died"]
STOPPED_CODES = (129, 130, 143)
"""Exit codes after SIGHUP, Ctrl-C and SIGTERM."""


@dataclass(frozen=True)
class Summary:
    """A run in short. began: its first line's time. at: where it is or was, such as ``at step distill``; empty if that
    is not known. last: its newest line."""

    id: str
    path: Path
    state: State
    command: str
    began: str
    at: str
    last: JsonObject

    @property
    def words(self) -> str:
        """The state for people."""
        return f"{self.state} {self.at}".rstrip() if self.state in ("running", "silent", "died") else self.state


Known = dict[Path, tuple[int, Summary]]
"""Runs that are over, each with the bytes of its journal."""


def look(work: Path, known: Known | None = None) -> list[Summary]:
    """Every run with a journal, the newest first. work: the work folder. known: is filled, and used the next time."""
    known = {} if known is None else known
    found = (_remembered(path, known) for path in sorted((work / FOLDER).glob(f"*{SUFFIX}"), reverse=True))
    return [one for one in found if one]


def _remembered(path: Path, known: Known) -> Summary | None:
    """A journal that nobody writes stays as it is, so it is read once."""
    try:
        size = path.stat().st_size
    except OSError:
        return None
    before = known.get(path)
    if before and before[0] == size:
        return before[1]
    found = summary(path)
    if found and found.state not in ("running", "silent"):
        known[path] = size, found
    return found


def stamp(work: Path) -> object:
    """A value that changes when a journal does, when a run falls silent, and when its process is gone."""
    found, now = [], time.time()
    for path in sorted((work / FOLDER).glob(f"*{SUFFIX}")):
        with contextlib.suppress(OSError):
            facts = path.stat()
            found.append((path.name, facts.st_size, is_locked(path), now - facts.st_mtime > SILENT_SECONDS))
    return tuple(found)


def find(work: Path, name: str) -> Summary:
    """The run with this id, or with the only id that begins or ends so; ``last`` is the newest. Raises InputError."""
    paths = sorted((work / FOLDER).glob(f"*{SUFFIX}"))
    fits = [path for path in paths if path.stem.startswith(name) or path.stem.endswith(name)]
    chosen = paths[-1:] if name == "last" else [path for path in paths if path.stem == name] or fits
    found = summary(chosen[0]) if len(chosen) == 1 else None
    if found is None:
        what = "several runs have" if len(chosen) > 1 else "no run has"
        raise InputError(f"{what} the id {name!r}", remedy="List them with: zoo runs")
    return found


def summary(path: Path) -> Summary | None:
    """A run by its journal; None for a file that has gone or has no complete line yet."""
    # The lock first: a run that ends in between has its last line by then.
    locked = is_locked(path)
    try:
        first = next(filter(None, map(parsed, journal.lines(path))), None)
        tail = [event for line in journal.last_lines(path, TAIL_BYTES) if (event := parsed(line))]
        beat = path.stat().st_mtime
    except OSError:
        return None
    if first is None:
        return None
    last = tail[-1] if tail else first
    words = first.get("arguments")
    command = shlex.join(["zoo", *map(str, words)]) if isinstance(words, list) else str(first.get("command"))
    state = _state(last, locked, time.time() - beat)
    return Summary(path.stem, path, state, command, str(first.get("at")), _place(tail), last)


def _place(tail: list[JsonObject]) -> str:
    """Where a run is according to its last lines."""
    for event in reversed(tail):
        match event:
            case {"event": "step_end", "step": str(step)}:
                return f"after step {step}"
            case {"event": "publish", "part": str(part)}:
                return f"while publishing, after {part}"
            case {"step": str(step)}:
                return f"at step {step}"
            case {"event": "begin" | "plan"}:
                return "before its first step"
    return ""


def _state(last: JsonObject, locked: bool, age_seconds: float) -> State:
    if last.get("event") == "end":
        code = last.get("code")
        return "finished" if code == 0 else "stopped" if code in STOPPED_CODES else "failed"
    if not locked:
        return "died"
    return "silent" if age_seconds > SILENT_SECONDS else "running"


def parsed(line: bytes) -> JsonObject | None:
    """A line as an event; None for one that was torn or is not of a journal."""
    try:
        found = jsontext.parse(line, bounded=False)
    except jsontext.NotJson:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def events(path: Path) -> Iterator[JsonObject]:
    """Every event of a journal, in order; lines that were torn are dropped. Raises OSError."""
    return (event for line in journal.lines(path) if (event := parsed(line)))


def newest(path: Path, count: int) -> list[JsonObject]:
    """The last events, without reading a large journal from its beginning. Raises OSError."""
    size = TAIL_BYTES
    while True:
        found = [event for line in journal.last_lines(path, size) if (event := parsed(line))]
        if len(found) >= count or size >= path.stat().st_size:
            return found[-count:]
        size *= 4


def follow(path: Path, pause: Callable[[float], None] = time.sleep, every_seconds: float = 0.3) -> Iterator[JsonObject]:
    """Every event, and those to come, until the run ends or its process is gone. Raises OSError."""
    with path.open("rb") as stream:
        rest = b""
        while True:
            locked = is_locked(path)
            *complete, rest = (rest + stream.read()).split(b"\n")
            for line in complete:
                if event := parsed(line):
                    yield event
                    if event["event"] == "end":
                        return
            if not locked:
                return
            pause(every_seconds)
