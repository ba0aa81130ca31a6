"""Files of records, checked as a stream: every problem with its line, repeated records across all files."""

from __future__ import annotations

import heapq
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog import jsontext, packed, secrets
from catalog.corpora import BOM
from catalog.jsontext import JsonObject
from catalog.problems import LIMIT, Problem, show
from catalog.words import counted
from zoo.corpora import bulk, kinds, records, stream
from zoo.corpora.records import Fault, Kind
from zoo.corpora.repeats import Repeat, Repeats
from zoo.errors import InputError
from zoo.progress import Advance, unheard

_HEAD = 4096
_SPLIT, _FEW = 8, 32
"""If bulk.PART lines are not accepted together, each eighth of them is tried, and then each line by itself. So one
bad line costs some 30 others the quick way, and a file of bad lines is read twice more."""


@dataclass(frozen=True)
class File:
    """path: to read. shown: for messages. texts: what of a record is compared with others, each by itself; None for
    what people recognise it by."""

    path: Path
    shown: str
    texts: Callable[[JsonObject], Sequence[str]] | None = None


@dataclass
class Checked:
    """records: valid ones by kind. bad_lines: lines that have a problem, listed or not. problems: the first of them by
    file and line. repeated: records that an earlier line has too."""

    records: Counter[str] = field(default_factory=Counter)
    bad_lines: int = 0
    repeated: int = 0
    problems: list[Problem] = field(default_factory=list)
    is_cut: bool = False


def check(
    files: Sequence[File], kind: Kind | None = None, most: int = 60, advance: Advance = unheard
) -> Checked:
    """Check files of records, each once, in memory that does not grow with them. kind: of every file; else that of its
    first record. most: problems that are listed. Raises InputError for a damaged file, OSError.
    """
    found = Checked()
    with tempfile.TemporaryDirectory(prefix="zoo-corpus-") as folder:
        repeats = Repeats(Path(folder))
        read = [_File(file, number, kind, found, repeats, most) for number, file in enumerate(files)]
        for one in read:
            one.check(advance)
        _repeats(files, [one.kind for one in read], repeats, found, most)
    order = {file.shown: number for number, file in reversed(list(enumerate(files)))}
    found.problems.sort(key=lambda one: (order[one.file], one.line))
    return found


def problems(path: Path, shown: str) -> list[Problem]:
    """The problems of one file, at most LIMIT and one that says that there are more; what damages it is a problem too.
    Raises OSError."""
    try:
        found = check([File(path, shown)], most=LIMIT)
    except InputError as error:
        place, _, line = error.where.rpartition(":")
        return [Problem(place, int(line), 1, "", error.what, error.remedy)]
    if not found.is_cut:
        return found.problems
    what = f"only {LIMIT} problems of this file are listed, and {counted(found.bad_lines, 'line')} have some"
    instead = "Fix those that are listed, or list more with `zoo corpus check --max-errors`"
    return [*found.problems, Problem(shown, found.problems[-1].line, 1, "", what, instead)]


@dataclass
class _File:
    """One file while it is checked."""

    file: File
    number: int
    kind: Kind | None
    found: Checked
    repeats: Repeats
    most: int

    def check(self, advance: Advance) -> None:
        # Here it is a problem of this file, so that the others are checked, too.
        if packing := stream.misfit(stream.first_bytes(self.file.path, packed.LONGEST), self.file.shown):
            self._note(1, [Fault("", *packing)])
            return
        is_empty = True
        for first, lines in stream.batches(self.file.path, self.file.shown, advance):
            if first == 1 and (misfit := _misfit(lines[0])):
                self._note(1, [misfit])
                return
            for start in range(0, len(lines), bulk.PART):
                part = lines[start : start + bulk.PART]
                is_empty = not self._part(first + start, part) and is_empty
        if is_empty:
            self._note(1, [Fault("", "the file has no records", "Write one JSON object per line")])

    def _part(self, first: int, lines: stream.Lines) -> bool:
        """Whether there is something on any of the lines."""
        may_have_token = secrets.may_have_token(b"".join(line or b"" for line in lines))
        if self.kind and not may_have_token and (found := bulk.accepted(lines, self.kind)) is not None:
            self.found.records[self.kind.name] += len(lines)
            self.repeats.add(self.kind.name, found.identities, self.number, first)
            return True
        if len(lines) > _FEW:
            size = -(-len(lines) // _SPLIT)
            parts = range(0, len(lines), size)
            return sum(self._part(first + start, lines[start : start + size]) for start in parts) > 0
        written = [(number, line) for number, line in enumerate(lines, first) if line is None or line.strip()]
        for number, line in written:
            self._line(number, line)
        return bool(written)

    def _line(self, number: int, line: bytes | None) -> None:
        if number == 1 and line is not None:
            line = line.removeprefix(BOM.encode())
        kind = self.kind or self._kind(number, line)
        if kind is None:
            return
        record = records.sound(line, kind)
        if record is None:
            # Once nothing more is listed, why a line is bad need not be found out.
            has_space = len(self.found.problems) < self.most
            self._note(number, records.read(line, kind).faults if has_space else [])
            return
        assert line is not None, "a record was read from it"
        if secrets.has_token(line.decode("utf-8", errors="replace")):
            self._note(number, [Fault("", f"the record contains {secrets.TOKEN}", secrets.REVOKE)])
            return
        self.found.records[kind.name] += 1
        self.repeats.add(kind.name, [kind.identity(record)], self.number, number)

    def _kind(self, number: int, line: bytes | None) -> Kind | None:
        """The kind of the file, decided by its first line that is a record; what is before it is a problem."""
        try:
            data = records.decoded(line) if line is not None else None
        except jsontext.NotJson as error:
            self._note(number, [records.not_json(error)])
            return None
        if line is None:
            self._note(number, [records.too_long(stream.MOST_LINE_BYTES)])
            return None
        self.kind = kinds.kind_of(data)
        if self.kind is None:
            marks = ", ".join(f"{kind.name} ({' or '.join(sorted(kind.marks))})" for kind in kinds.KINDS.values())
            keys = f"the record has the keys {show(list(data)[:8])}" if isinstance(data, dict) else f"{show(data)}"
            self._note(number, [Fault("", f"{keys}, which no kind of record has", f"Kinds and a key of each: {marks}")])
        return self.kind

    def _note(self, number: int, faults: list[Fault]) -> None:
        self.found.bad_lines += 1
        space = self.most - len(self.found.problems)
        self.found.is_cut = self.found.is_cut or len(faults) > space or not faults
        self.found.problems += [records.problem(fault, self.file.shown, number) for fault in faults[:space]]


def _repeats(
    files: Sequence[File], kinds_of: Sequence[Kind | None], repeats: Repeats, found: Checked, most: int
) -> None:
    """Adds the first repeated records, by file and line."""

    def every() -> Iterator[Repeat]:
        for repeat in repeats.found():
            found.repeated += 1
            yield repeat

    space = most - len(found.problems)
    listed = heapq.nsmallest(max(space, 0), every()) if space > 0 else deque(every(), 0)
    for (file, line), (first_file, first_line) in listed:
        there = f"line {first_line}" + ("" if file == first_file else f" of {files[first_file].shown}")
        kind = kinds_of[file]
        assert kind is not None, "only records of a kind are compared"
        fault = Fault("", f"{kind.same} {there}", "Delete one of the two")
        found.problems.append(records.problem(fault, files[file].shown, line))
    found.is_cut = found.is_cut or found.repeated > space
    found.bad_lines += found.repeated


def _misfit(line: bytes | None) -> Fault | None:
    """What a file is instead of JSON Lines, by its first line."""
    if line is None:
        return None
    head = line[:_HEAD].lstrip()
    table: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
        (lambda h: h.startswith(b"version https://git-lfs"),
         "this is a pointer of Git LFS, not the file", "Fetch the file: git lfs pull"),
        (lambda h: h[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")),
         "this is a web page, not records", "Download the file again"),
        (lambda h: h.startswith((b"\xff\xfe", b"\xfe\xff")) or h[1:2] == b"\x00",
         "the text is UTF-16", "Save the file as UTF-8"),
        (lambda h: h.rstrip() in (b"[", b"{"),
         "the JSON is spread over several lines", "Write one JSON object per line, such as with: jq -c '.[]? // .'"),
        (lambda h: h.startswith(b"[{"),
         "this is one JSON list, not JSON Lines", "Write one JSON object per line, such as with: jq -c '.[]'"),
    )  # fmt: skip
    return next((Fault("", what, instead) for test, what, instead in table if test(head)), None)
