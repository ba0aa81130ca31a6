"""Files of records without the personal data that is found in them, with a report that holds counts only."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from catalog.corpora import BOM
from catalog.jsontext import JsonObject
from zoo import __version__, extras
from zoo.corpora import bulk, kinds, records, stream
from zoo.corpora.check import File
from zoo.corpora.privacy import leaves, sieve
from zoo.corpora.privacy.decide import IsPhone
from zoo.corpora.privacy.finders import FINDERS, KINDS
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.corpora.records import Kind
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import new_folder, write_atomic
from zoo.progress import Advance, unheard

SCHEMA = "redaction-report/1"
REPORT = "redaction-report.json"
LIMITS = (
    "Names of people are not looked for. What is not of a form that is listed here is not found. What is left may "
    "still show who is meant. So the records are redacted, and they stay personal data if somebody can be recognised."
)


@dataclass(frozen=True)
class Way:
    """How to redact. kind: of every file; None for that of its first record. is_linkable: whether the key is kept."""

    placeholders: Placeholders
    is_linkable: bool
    kind: Kind | None = None


@dataclass
class Count:
    """What happened to the records of a file."""

    path: str
    records: int = 0
    changed: int = 0
    left_out: int = 0
    in_keys: int = 0
    found: Counter[str] = field(default_factory=Counter)
    sha256: str = ""


def redact(files: Sequence[File], out: Path, way: Way, advance: Advance = unheard) -> list[Count]:
    """Writes the redacted files, uncompressed, and REPORT into the new folder ``out``: everything or nothing.

    Raises InputError for a record that is not valid, no records, two files of one name, an existing ``out``;
    MissingExtra; OSError.
    """
    is_phone: IsPhone = extras.load("zoo.corpora.privacy.phones").is_valid
    if out.exists():
        raise InputError(f"{out} exists already", remedy="Name a new folder with --out")
    names = [_name(file.path) for file in files]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"two files are called {twice[0]}", remedy="Rename one, or redact them into two folders")
    with new_folder(out) as scratch:
        counts = []
        for file, name in zip(files, names, strict=True):
            one = _File(file, Count(name), way, is_phone)
            write_atomic(scratch / name, one.lines(advance))
            one.count.sha256 = one.digest.hexdigest()
            counts.append(one.count)
        if not any(count.records for count in counts):
            raise InputError("the files have no records", safe="Nothing was written.", remedy="Name files with records")
        write_atomic(scratch / REPORT, pretty_json(report(counts, way)))
    return counts


def report(counts: Sequence[Count], way: Way) -> dict[str, object]:
    """The report: counts, and what was looked for. No value, place or digest of a value is in it."""
    found: Counter[str] = Counter()
    for count in counts:
        found.update(count.found)
    return {
        "schema": SCHEMA,
        "program": __version__,
        "placeholders": {"form": "[KIND-xxxxxxxxxx]", "linkable": way.is_linkable},
        "looked_for": [{"kind": finder.kind, "what": finder.what} for finder in FINDERS],
        "limits": LIMITS,
        "records": sum(count.records for count in counts),
        "changed": sum(count.changed for count in counts),
        "left_out": sum(count.left_out for count in counts),
        "in_keys": sum(count.in_keys for count in counts),
        "found": {kind: found[kind] for kind in KINDS},
        "files": [
            {
                "path": count.path, "sha256": count.sha256, "records": count.records, "changed": count.changed,
                "left_out": count.left_out,
            }
            for count in counts
        ],
    }  # fmt: skip


_written = json.JSONEncoder(ensure_ascii=False).encode
"""As json.dumps writes it, which would make an encoder for each record."""


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".zst")


class _File:
    """One file while it is redacted."""

    def __init__(self, file: File, count: Count, way: Way, is_phone: IsPhone) -> None:
        self.file, self.count, self.way, self.is_phone = file, count, way, is_phone
        self.kind = way.kind
        self.digest = hashlib.sha256()

    def lines(self, advance: Advance) -> Iterator[bytes]:
        """The lines of the new file."""
        for first, lines in stream.batches(self.file.path, self.file.shown, advance):
            for start in range(0, len(lines), bulk.PART):
                block = b"".join(self._part(first + start, lines[start : start + bulk.PART]))
                self.digest.update(block)
                yield block

    def _part(self, first: int, lines: stream.Lines) -> Iterator[bytes]:
        accepted = bulk.accepted(lines, self.kind) if self.kind else None
        if accepted is not None:
            yield from self._sieved(accepted.records, cast("Sequence[bytes]", lines))
            return
        for number, line in enumerate(lines, first):
            if number == 1 and line is not None:
                line = line.removeprefix(BOM.encode())
            if line is None or line.strip():
                yield from self._line(number, line)

    def _sieved(self, found: Sequence[JsonObject], lines: Sequence[bytes]) -> Iterator[bytes]:
        """Lines without a sign of personal data stay, and only the others are searched."""
        start = 0
        for number in [*sieve.suspects(lines, found), len(lines)]:
            if number > start:
                yield b"\n".join(lines[start:number]) + b"\n"
                self.count.records += number - start
            if number < len(lines):
                yield from self._record(found[number], lines[number])
            start = number + 1

    def _line(self, number: int, line: bytes | None) -> Iterator[bytes]:
        if self.kind is None and line is not None:
            self.kind = kinds.kind_of(records.decoded_or_none(line))
        record = records.sound(line, self.kind) if self.kind else None
        if record is None or self.kind is None or line is None:
            raise InputError(
                "the record is not valid", where=f"{self.file.shown}:{number}",
                safe="Nothing was written.", remedy=f"See its problems with: zoo corpus check {self.file.shown}",
            )  # fmt: skip
        yield from self._record(record, line)

    def _record(self, record: JsonObject, line: bytes) -> Iterator[bytes]:
        assert self.kind is not None, "a record has a kind"
        made, found, in_keys = leaves.redact(record, self.kind, self.way.placeholders, self.is_phone)
        self.count.records += 1
        self.count.in_keys += in_keys
        for kind, count in found.items():
            self.count.found[kind] += count
        if made is None:
            self.count.left_out += 1
        elif found:
            self.count.changed += 1
            yield _written(made).encode() + b"\n"
        else:
            yield line + b"\n"
