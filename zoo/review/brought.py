"""What ``zoo check`` finds because of a contribution: in what it changed, and in other files that it broke.

Pure but for reading the folders of two commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from catalog.problems import Problem
from zoo import settings as settings_room
from zoo.errors import InputError
from zoo.review import check
from zoo.review.check import Found
from zoo.settings import MARKER, Settings

_INSIDE = ("work", "catalog", "evidence")
"""Settings that are read from a commit's files only: a stranger may write another path into zoo.toml."""
_CHECKED = (".yaml", ".yml", ".jsonl")


def found(base: Path, head: Path, changed: Collection[str]) -> Found:
    """Every problem of the files that changed, and those of others that they did not have before, such as a prompt that
    another file now has, too. Hints of the files that changed. changed: paths of files that are there at the
    head."""
    try:
        settings = settings_of(head)
    except InputError as error:
        place, _, line = error.where.rpartition(":")
        at = int(line) if place and line.isdigit() else 1
        return Found([Problem(MARKER, at, 1, "", error.what, error.remedy or "Restore the file")])
    every = check.check(_files(settings, changed), settings)
    before = _before(base, sorted({one.file for one in every.problems if one.file not in changed}))
    return Found(
        [one for one in every.problems if one.file in changed or (one.file, one.path, one.what) not in before],
        [one for one in every.hints if one.file in changed],
    )


def settings_of(folder: Path) -> Settings:
    """The settings of a commit's files. Raises InputError."""
    if not (folder / MARKER).is_file():
        raise InputError(f"{MARKER} is gone", remedy=f"Restore it: git checkout main -- {MARKER}")
    given = settings_room.load(folder, {}, {})
    outside = [name for name in _INSIDE if not given.folder(name).resolve().is_relative_to(folder.resolve())]
    if not outside:
        return given
    defaults = {name: default for name, _, default, _ in settings_room.describe()}
    return settings_room.load(folder, {name: defaults[name] for name in outside}, {})


def _files(settings: Settings, changed: Collection[str]) -> list[Path]:
    """What is checked: files that changed, and recipes that may name one of them. If the settings changed: all."""
    own = check.own(settings)
    new = [settings.root / path for path in changed]
    touched = own if MARKER in changed else [path for path in own if path in new or _may_name(path, changed)]
    more = [path for path in new if path.suffix in _CHECKED]
    return [path for path in dict.fromkeys((*touched, *more)) if path.is_file()]


def _may_name(path: Path, changed: Collection[str]) -> bool:
    """Whether a recipe's text has one of the paths, or escapes, behind which it could be."""
    if path.suffix not in (".yaml", ".yml"):
        return False
    text = path.read_bytes()
    return b"\\" in text or any(one.encode() in text for one in changed)


def _before(base: Path, files: Sequence[str]) -> set[tuple[str, str, str]]:
    """What was wrong with files already."""
    try:
        settings = settings_of(base) if files else None
    except InputError:
        return set()
    there = [base / file for file in files if (base / file).is_file()]
    old = check.check(there, settings).problems if settings and there else []
    return {(one.file, one.path, one.what) for one in old}
