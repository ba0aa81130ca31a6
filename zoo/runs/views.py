"""Runs as text: a list, one run, and its log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalog.jsontext import JsonObject
from catalog.words import counted, data_size, duration
from zoo.runs.reader import Summary

STATES = {
    "running": "it works now",
    "silent": "its process lives, but has given no sign for half a minute: it is suspended, or its disk hangs",
    "finished": "it ended without an error",
    "failed": "it ended with an error",
    "stopped": "somebody stopped it",
    "died": "its process ended without a word: it was killed, or the machine stopped",
}
RESUME = "Finished work is kept. Run the same command again to continue."


def row(one: Summary) -> tuple[str, str, str, str]:
    """Of the table of runs."""
    return one.id, one.began[:16].replace("T", " "), one.words, one.command


def as_data(one: Summary) -> dict[str, object]:
    """A run for programs."""
    return {
        "id": one.id, "state": one.state, "at": one.at, "command": one.command, "began_utc": one.began,
        "last": one.last,
    }  # fmt: skip


def show(one: Summary, events: Iterable[JsonObject]) -> str:
    """One run: its state, plan, steps with their reasons and times, warnings, and the result."""
    lines = [one.command, f"  began {one.began[:19].replace('T', ' ')} UTC", f"  {one.words}: {STATES[one.state]}"]
    if one.state in ("died", "stopped", "failed"):
        lines.append(f"  {RESUME}")
    if one.state in ("running", "silent") and one.last["event"] == "progress":
        lines.append(f"  newest progress: {_words(one.last).strip()}")
    steps: dict[str, str] = {}
    for event in events:
        match event:
            case {"event": "plan", "name": str(name), "version": str(version), "steps": list(planned)}:
                todo = [step for step in planned if isinstance(step, dict) and step.get("why") != "reuse"]
                lines.append(f"  plan of {name} {version}: {len(todo)} of {counted(len(planned), 'step')} to run")
            case {"event": "step_begin", "step": str(step), "reason": str(reason), "key": str(key)}:
                steps[step] = f"  {step} ({key[:12]}), {reason}: "
                lines.append(steps[step] + "not finished")
            case {"event": "step_end", "step": str(step)} if step in steps:
                lines[lines.index(steps[step] + "not finished")] = steps[step] + duration(_number(event, "seconds"))
            case {"event": "publish", "part": str(part)}:
                lines.append(f"  published: {part}")
            case {"event": "warning", "text": str(text)}:
                lines.append(f"  warning: {text}")
            case {"event": "end"}:
                lines += _end(event)
    return "\n".join(lines)


def _end(event: JsonObject) -> list[str]:
    error = event.get("error")
    cost = (
        f"{duration(_number(event, 'seconds'))}, {duration(_number(event, 'cpu_seconds'))} of processor time, at most "
        f"{data_size(_number(event, 'peak_memory_bytes'))} of memory"
    )
    return [*([f"  {error}"] if error else []), f"  exit code {event.get('code')}, {cost}"]


def _number(event: JsonObject, key: str) -> float:
    found = event.get(key)
    return found if isinstance(found, int | float) else 0.0


def line(event: JsonObject) -> str:
    """An event as a line of the log; empty for one that says nothing to people."""
    text = _words(event)
    return f"{str(event.get('at'))[11:19]}  {text}" if text else ""


def _words(event: JsonObject) -> str:
    match event:
        case {"event": "say" | "answer", "text": str(text)}:
            return text
        case {"event": "warning" | "error" as kind, "text": str(text)}:
            return f"{kind}: {text}"
        case {"event": "progress", "what": str(what)}:
            return f"  {what}: {_progress(event)}"
        case {"event": "begin", "arguments": list(words)}:
            return " ".join(["zoo", *map(str, words)])
        case {"event": "publish", "part": str(part)}:
            return f"published: {part}"
        case {"event": "end"}:
            return "\n".join(one.strip() for one in _end(event))
    return ""


def _progress(event: JsonObject) -> str:
    done, total, unit = _number(event, "done"), event.get("total"), event.get("unit")
    of = f" of {total:.6g}" if isinstance(total, int | float) else ""
    shown = [f"{done:.6g}{of} {unit}"]
    left = event.get("seconds_left")
    if isinstance(left, int | float) and left:
        shown.append(f"{duration(left)} left")
    return ", ".join(shown)


def log(events: Sequence[JsonObject]) -> str:
    """The log of a run."""
    return "\n".join(filter(None, map(line, events)))
