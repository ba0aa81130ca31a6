"""``pi-zoo history``, and what ``pi-zoo bench`` keeps: speeds over time, and whether they became lower."""

from __future__ import annotations

import argparse
import json

from pi_runtime import history, store
from pi_runtime.asking import say, warn
from pi_runtime.history import SHORT, History, Run, Speed
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.shape import Report
from pi_runtime.store import Kept
from pi_runtime.words import counted, rate

SHOWN = 12
"""Newest runs of a file that the text lists; ``--json`` has all."""


def keep(report: Report, kept: Kept) -> list[str]:
    """Add a run to the history; lines for people. A history that cannot be written costs nobody the measurement."""
    place = history.path()
    try:
        history.add(place, history.line_of(report, kept))
        known = history.read(place)
    except CouldNot as error:
        return [f"  not kept             {error}"]
    if not report["valid"]:
        return []
    runs = history.newest(known, report["file"]["sha256"])
    return [f"  {one.words}" for one in _speeds(runs, known)]


def show(arguments: argparse.Namespace) -> None:
    """``pi-zoo history``. Raises CouldNot, InvalidArguments."""
    place = history.path()
    known = history.read(place)
    if known.skipped:
        warn(f"{place}: {counted(len(known.skipped), 'line')} cannot be used: {_numbers(known.skipped)}")
    if arguments.accept is not None or arguments.by is not None:
        _accept(arguments, known)
        return
    kept = [store.find(arguments.name)] if arguments.name else store.kept()
    measured = [one for one in kept if history.newest(known, one.receipt.sha256)]
    if arguments.json:
        say(json.dumps({"path": str(place), "files": [_data(one, known) for one in measured]}, ensure_ascii=False))
    elif not measured:
        say(f"Nothing was measured yet. Measure with: pi-zoo bench {arguments.name or 'NAME'}")
    else:
        for one in measured:
            say("\n".join(_text(one, known)))
        say(f"Every sample is in {place}. A zoo adds it to its own history with: zoo bench import {place.name}")


def _text(kept: Kept, known: History) -> list[str]:
    runs = history.newest(known, kept.receipt.sha256)
    every = sum(run.sha256 == kept.receipt.sha256 for run in known.runs)
    broken = sum(not run.valid for run in runs)
    lines = [f"{kept.spec}: {counted(len(runs), 'run')}{f', {broken} of them not valid' if broken else ''}"]
    if every > len(runs):
        before = counted(every - len(runs), "earlier run")
        lines.append(f"  {before} cannot be compared: another device, setting, kernel or llama.cpp")
    lines += [f"  {_run(run)}" for run in runs[-SHOWN:]]
    return [*lines, *(f"  {one.words}" for one in _speeds(runs, known))]


def _run(run: Run) -> str:
    figures = ", ".join(f"{SHORT[figure]} {rate(value)}" for figure, value in run.medians.items())
    return f"{run.at_utc[:10]} {run.at_utc[11:16]}  {figures} tokens/s{'' if run.valid else '  NOT VALID'}"


def _data(kept: Kept, known: History) -> dict[str, object]:
    runs = history.newest(known, kept.receipt.sha256)
    return {
        "spec": kept.spec,
        "runs": [{**vars(run), "medians": dict(run.medians)} for run in runs],
        "speeds": [_speed(one) for one in _speeds(runs, known)],
    }


def _speed(speed: Speed) -> dict[str, object]:
    band, began = speed.verdict.band, speed.began
    return {
        "figure": speed.figure, "state": speed.verdict.state, "tokens_per_second": speed.value,
        "band": vars(band) if band else None, "alarm_since_run": began.id if began else None,
    }  # fmt: skip


def _speeds(runs: list[Run], known: History) -> list[Speed]:
    return list(history.speeds([run for run in runs if run.valid], known.accepted))


def _accept(arguments: argparse.Namespace, known: History) -> None:
    """The alarms of one file become what is usual."""
    reason, by = (arguments.accept or "").strip(), (arguments.by or "").strip()
    if not arguments.name or not reason or not by:
        raise InvalidArguments("To accept a slower level, write: pi-zoo history NAME --accept REASON --by YOU")
    kept = store.find(arguments.name)
    runs = history.newest(known, kept.receipt.sha256)
    alarms = [(one, one.began) for one in _speeds(runs, known) if one.began]
    if not alarms:
        raise CouldNot(f"{kept.spec} has no alarm, so nothing was changed. See: pi-zoo history {arguments.name}")
    for speed, began in alarms:
        history.accept(history.path(), began.id, speed.figure, by[:80], reason[:1000])
        say(f"Accepted: {SHORT[speed.figure]} since {began.at_utc[:10]}. The new level is what is usual now.")


def _numbers(lines: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, lines[:5]))
    return f"{shown} ..." if len(lines) > 5 else shown
