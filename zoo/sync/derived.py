"""A derived file, the comparison of its copy with its source, and making it again."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.files.whole import write_atomic

Make = Callable[[Path, str], str]
"""(the repository's folder, the present text of the file) -> the text that it should have. Raises Disagrees."""

MOST_DIFF_LINES = 200


class Disagrees(ZooError):
    """A file and its source differ in a way that only a person can decide."""


@dataclass(frozen=True)
class Derived:
    """path: from the repository's folder; a pattern such as ``tests/golden/*`` for a family of files.

    source: what it is made from, in words. command: what makes it again, "" for ``zoo sync PATH``. make: the expected
    text; None if only the command can say it, and then ``tested`` names the tests that compare.
    heavy: the command takes long, so ``zoo sync`` only names it. part: the block of the file that it is, "" for all.
    """

    path: str
    source: str
    make: Make | None
    command: str = ""
    heavy: bool = False
    tested: str = ""
    part: str = ""

    @property
    def remedy(self) -> str:
        """The command that makes it again."""
        return self.command or f"zoo sync {self.path}"


@dataclass(frozen=True)
class Drift:
    """A derived file that differs from what its source gives. diff: as lines of a unified diff, or a sentence."""

    path: str
    source: str
    diff: str
    command: str

    def __str__(self) -> str:
        return f"{self.path} differs from {self.source}\n{self.diff}Run: {self.command}"


def drifts(root: Path, rows: Iterable[Derived]) -> list[Drift]:
    """Every row whose file differs, in the order of the table. Rows that only tests compare are left out."""
    return [found for row in rows if row.make and (found := _drift(root, row, row.make))]


def regenerate(root: Path, rows: Iterable[Derived]) -> list[str]:
    """Write every light derived file that differs; the paths that were written. Raises Disagrees."""
    written: list[str] = []
    for row in rows:
        if row.make is None or row.heavy:
            continue
        path = root / row.path
        now = read(path)
        text = row.make(root, now or "")
        if text != now:
            write_atomic(path, text)
            written.append(row.path)
    return list(dict.fromkeys(written))


def read(path: Path) -> str | None:
    """The text of a file; None if it is missing. Raises Disagrees if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else None
    except UnicodeDecodeError as error:
        raise Disagrees(
            "the file is not UTF-8 text", where=path.name, remedy="Restore it from git"
        ) from error


def unified(path: str, now: str, text: str) -> str:
    """The difference as a unified diff; long ones are cut."""
    lines = list(
        difflib.unified_diff(
            now.splitlines(True), text.splitlines(True), f"a/{path}", f"b/{path} (from its source)"
        )
    )
    cut = [*lines[:MOST_DIFF_LINES], f"... and {len(lines) - MOST_DIFF_LINES} more lines\n"]
    return "".join(_ended(line) for line in (lines if len(lines) <= MOST_DIFF_LINES else cut))


def chosen(rows: Sequence[Derived], paths: Sequence[str]) -> list[Derived]:
    """The rows of these paths, all without any. Raises Disagrees for a path that is in no row."""
    known = {row.path for row in rows}
    for path in paths:
        if path not in known:
            raise Disagrees(
                f"{path} is not a derived file", remedy="List the derived files with: zoo sync --list"
            )
    return [row for row in rows if not paths or row.path in paths]


def _drift(root: Path, row: Derived, make: Make) -> Drift | None:
    try:
        now = read(root / row.path)
        text = make(root, now or "")
    except Disagrees as error:
        return Drift(row.path, row.source, f"{error}\n", row.remedy)
    if text == now:
        return None
    diff = unified(row.path, now or "", text) if now is not None else "The file is missing.\n"
    return Drift(row.path, row.source, diff, row.remedy)


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
