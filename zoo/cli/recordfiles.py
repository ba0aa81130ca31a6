"""The files of records that the arguments of a command name."""

from __future__ import annotations

import os.path
from pathlib import Path

from catalog.problems import Problem
from zoo.corpora.check import File
from zoo.errors import InputError

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def named(paths: tuple[Path, ...]) -> tuple[list[File], list[Problem]]:
    """The files that paths name, and a problem for each that cannot be one or is named twice. Raises InputError for a
    folder without files."""
    files: list[File] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for path in paths:
        found = [path]
        if path.is_dir():
            found = sorted(one for one in path.rglob("*.jsonl*") if one.name.endswith(SUFFIXES))
            if not found:
                raise InputError(f"{path} has no files of records", remedy=f"Name files: {', '.join(SUFFIXES)}")
        for one in found:
            # Path.resolve raises an error for links that lead to each other.
            shown, there = str(one), os.path.realpath(one)
            if not one.is_file():
                what = "the file is not a regular file" if one.exists() else "the file was not found"
                problems.append(Problem(shown, 1, 1, "", what, "Name an existing file"))
            elif there in seen:
                what = f"the same file as {seen[there]}"
                problems.append(Problem(shown, 1, 1, "", what, "Name it once"))
            else:
                seen[there] = shown
                files.append(File(one, shown))
    return files, problems
