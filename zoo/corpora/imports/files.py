"""A file of one form, line by line, into a file of records, with everything that is left out by its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog import jsontext
from catalog.corpora import BOM
from catalog.problems import Problem, show
from zoo.corpora import records, stream
from zoo.corpora.check import File
from zoo.corpora.imports.forms import Form
from zoo.corpora.imports.parts import Dropped, NotImportable, Part
from zoo.corpora.records import Fault
from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.progress import Advance, unheard


@dataclass
class Imported:
    """records: written ones. left_out: lines that are no record; problems: why, of the first of them. dropped: things
    that written records lost; notes: the first of them."""

    records: int = 0
    left_out: int = 0
    dropped: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def import_(files: Sequence[File], form: Form, out: Path, most: int = 60, advance: Advance = unheard) -> Imported:
    """Write the records of files into the new file ``out``. most: problems and notes that are listed.

    Raises InputError for an existing ``out``, a damaged file or files without a record; OSError.
    """
    if out.exists():
        raise InputError(f"{out} exists already", remedy="Name a new file with --out")
    found = Imported()
    blocks = (block for file in files for block in _blocks(file, form, found, most, advance))
    write_atomic(out, _some(blocks, found))
    return found


def _some(blocks: Iterator[bytes], found: Imported) -> Iterator[bytes]:
    yield from blocks
    if not found.records:
        first = f": {found.problems[0].text}" if found.problems else ""
        where = f"{found.problems[0].file}:{found.problems[0].line}" if found.problems else ""
        raise InputError(
            f"no line is a record of this form{first}", where=where, safe="Nothing was written.",
            remedy="Name another form with --from, or look at the first line",
        )  # fmt: skip


def _blocks(file: File, form: Form, found: Imported, most: int, advance: Advance) -> Iterator[bytes]:
    for first, lines in stream.batches(file.path, file.shown, advance):
        made = []
        for number, line in enumerate(lines, first):
            if number == 1 and line is not None:
                line = line.removeprefix(BOM.encode())
            if line is not None and not line.strip():
                continue
            record, dropped, faults = _line(line, form)
            if record is None:
                found.left_out += 1
                space = max(most - len(found.problems), 0)
                found.problems += [records.problem(fault, file.shown, number) for fault in faults[:space]]
                continue
            made.append(record)
            found.records += 1
            found.dropped += len(dropped)
            space = max(most - len(found.notes), 0)
            found.notes += [
                Problem(file.shown, number, 1, one.path, one.what, "It is not in the record") for one in dropped[:space]
            ]
        yield b"".join(made)


def _line(line: bytes | None, form: Form) -> tuple[bytes | None, list[Dropped], list[Fault]]:
    """The line of the record, what it lost, and why there is none."""
    if line is None:
        return None, [], [records.too_long(stream.MOST_LINE_BYTES)]
    dropped: list[Dropped] = []
    try:
        data = records.decoded(line)
        if not isinstance(data, dict):
            return None, [], [Fault("", f"{show(data)} is not an object", "Write one JSON object per line")]
        made = form.made(Part(data, "", dropped))
        written = json.dumps(made, ensure_ascii=False).encode()
    except jsontext.NotJson as error:
        return None, [], [records.not_json(error)]
    except NotImportable as error:
        return None, [], [error.fault]
    except UnicodeEncodeError:
        return None, [], [Fault("", "half of a surrogate pair is in a text", "Write the complete character")]
    faults = records.read(written, form.kind).faults
    return (None, [], faults) if faults else (written + b"\n", dropped, [])
