"""The log of reviews of a redacted corpus: lines that are only added, each with the digest of the one before. Pure.

A chain shows every change of a line but one: that its last lines were cut. So the digest of a line is also kept outside
of the log, in what was released because of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog import jsontext
from catalog.shapes import shaped
from zoo.files.digests import canonical_json

SUFFIX = ".reviews.jsonl"
"""How the name of a log ends, after the name of its recipe."""

FIRST = "0" * 64
"""What the first line names as the line before it."""


@dataclass(frozen=True)
class Entry:
    """One review. files: sha256 by name of what was reviewed. before: sha256 of the line before."""

    number: int
    at_utc: str
    by: str
    recipe: str
    files: dict[str, str]
    before: str


class Broken(ValueError):
    """A line is not what its successor or its number says; the text says which, for people. line: its number."""

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.line = line


def line_of(entry: Entry) -> bytes:
    """An entry as its line, without the end."""
    return canonical_json(vars(entry)).encode()


def digest(line: bytes) -> str:
    """What the next line, and a release, name this line by."""
    return hashlib.sha256(line).hexdigest()


def entries(lines: Iterable[bytes]) -> list[tuple[Entry, str]]:
    """Each entry with the digest of its line. Raises Broken for the first line that does not follow from those before.
    """
    found: list[tuple[Entry, str]] = []
    before = FIRST
    for number, line in enumerate(lines, 1):
        try:
            entry = shaped(jsontext.parse(line, unique=True), Entry)
        except ValueError as error:
            raise Broken(f"line {number} is not an entry ({str(error)[:100]})", number) from error
        if line_of(entry) != line or entry.number != number or entry.before != before:
            what = f"line {number} does not follow from the line before it: a line was changed, moved or deleted"
            raise Broken(what, number)
        before = digest(line)
        found.append((entry, before))
    return found


def signed(found: Sequence[tuple[Entry, str]], files: Mapping[str, str]) -> tuple[Entry, str] | None:
    """The last review of exactly these files; None without one."""
    return next((one for one in reversed(found) if one[0].files == files), None)


def cut(found: Sequence[tuple[Entry, str]], number: int, head: str) -> str:
    """What is wrong with a log by the number and the digest of a line that a release records; "" if nothing is."""
    if len(found) < number:
        return f"a release names line {number} of this log, but it has {len(found)}: its last lines were cut"
    if found[number - 1][1] != head:
        return f"line {number} is not the one that a release names"
    return ""
