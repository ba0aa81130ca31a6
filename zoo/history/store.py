"""The store of benchmark reports: ``bench-history.jsonl`` in the evidence folder of each model, only ever added to.

The reports that a release and its readers left in the evidence folder belong to the history too. They are read where
they are, so nothing is stored twice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from catalog import history as formats
from catalog import jsontext, plainfiles
from catalog.history import History, Run
from catalog.release import Model
from zoo.errors import AGAIN, InputError, ZooError, remedy_for
from zoo.files import journal
from zoo.files.locks import locked_folder

MOST_BYTES = 256 << 20
"""Of a history: 20,000 reports with five samples each."""
MOST_REPORT_BYTES = 4 << 20
"""Of one report in the evidence folder."""
_WHAT = "history of benchmarks"


def path_of(evidence: Path, name: str) -> Path:
    """The file of a model's history. evidence: the folder of all evidence."""
    return evidence / name / formats.FILE


def read(evidence: Path, model: Model) -> History:
    """Everything that is known about a model's speed, each run once. Raises ZooError for a history that is too
    large."""
    stored = formats.parse(content(evidence, model.name))
    return of_model(formats.joined([stored, History(tuple(_kept(evidence, model)), ())]), model)


def of_model(known: History, model: Model) -> History:
    """The history with the versions and types that the catalog has for the digests."""
    return replace(known, runs=tuple(_placed(run, model) for run in known.runs))


def _placed(run: Run, model: Model) -> Run:
    name, version, type_ = formats.placed(run, [model]) or (model.name, run.version, run.type)
    return replace(run, model=name, version=version, type=type_)


def content(evidence: Path, name: str) -> bytes:
    """The bytes of a model's history; empty without one. Raises ZooError for one that is too large."""
    path = path_of(evidence, name)
    try:
        return plainfiles.read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        return b""
    except plainfiles.TooLarge as error:
        raise ZooError(
            f"the history is larger than {MOST_BYTES >> 20} MiB", where=str(path), safe="Nothing was changed.",
            remedy="Move the file away, and import its newest lines: zoo bench import FILE",
        ) from error  # fmt: skip


def _kept(evidence: Path, model: Model) -> list[Run]:
    """The runs whose reports are in the evidence folder: those of releases, and those that people shared."""
    found = []
    folder = evidence / model.name
    for path in sorted([*folder.glob("*/bench-*.json"), *folder.glob("*/reports/*.json")]):
        try:
            report = jsontext.parse(plainfiles.read_bounded(path, MOST_REPORT_BYTES))
            found.append(formats.of_report(report))
        except (OSError, ValueError):
            continue  # zoo check reports what is wrong with it
    return found


@dataclass(frozen=True)
class Added:
    """What an import did for one model. known: runs and acknowledgements that were in the history already."""

    model: str
    added: int
    known: int


def add(evidence: Path, name: str, lines: Sequence[dict[str, object]]) -> Added:
    """Add lines that the history does not have yet; each is on the disk once it is written. Raises ZooError."""
    path = path_of(evidence, name)
    with locked_folder(path.parent):
        known = formats.parse(content(evidence, name))
        ids = {run.id for run in known.runs} | {ack.id for ack in known.acks}
        new = {str(line["id"]): line for line in lines if line["id"] not in ids}
        if new:
            _append(path, list(new.values()))
    return Added(name, len(new), len(lines) - len(new))


def _append(path: Path, lines: Sequence[dict[str, object]]) -> None:
    """Nothing that is in the file changes, not even a line that a power cut tore: it only gets its end."""
    try:
        stream = path.open("a+b")
    except OSError as error:
        raise ZooError(
            f"the {_WHAT} cannot be written ({error.strerror})", where=str(path), safe="It was not changed.",
            remedy="Free some space or make the disk writable", again=AGAIN,
        ) from error  # fmt: skip
    with stream:
        size = stream.seek(0, os.SEEK_END)
        if size and (stream.seek(size - 1), stream.read(1))[1] != b"\n":
            stream.write(b"\n")
        for line in lines:
            journal.append(stream, line, _WHAT, MOST_BYTES)


def given(path: Path, commit: str | None) -> History:
    """What a file has to import: a report, or a history that another program wrote. Raises InputError.

    commit: of the project, for a report, which does not name one.
    """
    try:
        raw = plainfiles.read_bounded(path, MOST_BYTES)
    except OSError as error:
        why = f"{path.name} cannot be read: {error.strerror}"
        raise InputError(why, where=str(path), safe="Nothing was imported.", remedy=remedy_for(error)) from error
    try:
        data = jsontext.parse(raw, bounded=False)
    except jsontext.NotJson as error:
        found = formats.parse(raw)
        if not found.runs and not found.acks:
            raise _foreign(path, found.aside[0].why if found.aside else error.what) from error
        return found
    if isinstance(data, dict) and data.get("schema") == formats.FORMAT:
        return formats.parse(raw)
    try:
        return History((formats.of_report(data, commit=commit),), ())
    except ValueError as error:
        raise _foreign(path, str(error)) from error


def _foreign(path: Path, why: str) -> InputError:
    return InputError(
        f"{path.name} is neither a benchmark report nor a history: {why}",
        where=str(path),
        safe="Nothing was imported.",
        remedy="Import the JSON file that pi-zoo bench or zoo build wrote",
    )
