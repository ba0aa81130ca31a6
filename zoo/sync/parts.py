"""The workflows that a zoo has from this program, and their newer versions, without touching what its owner edited.

``.github/zoo-sync.json`` has the digest of every file as this program wrote it. A file with another digest was edited,
and one that is missing was deleted by the owner: both stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.shapes import WrongShape, shaped
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.sync.derived import Drift, read, unified

FOLDER = ".github"
RECORD = f"{FOLDER}/zoo-sync.json"
SCHEMA = "zoo-sync/1"
_SOURCE = Path(__file__).with_name("parts")

NEW, CURRENT, OUTDATED, EDITED, DELETED = "new", "current", "outdated", "edited", "deleted"


class _Record(TypedDict):
    schema: str
    files: dict[str, str]


@dataclass(frozen=True)
class Part:
    """A file of a zoo. state: NEW if the zoo never had it, CURRENT, OUTDATED if this program has another version of an
    unedited file, EDITED or DELETED by the owner. now: its present text, "" if it is missing."""

    path: str
    state: str
    now: str
    text: str


def parts(root: Path) -> list[Part]:
    """Every file that this program has for a zoo, with its state there. Raises InputError for a damaged record."""
    known = _record(root)
    found = []
    for path, text in _texts().items():
        now = read(root / path)
        found.append(Part(path, _state(now, text, known.get(path)), now or "", text))
    return found


def drifts(root: Path) -> list[Drift]:
    """Files that ``update`` would write."""
    return [
        Drift(part.path, "the version of this program", unified(part.path, part.now, part.text), "zoo sync")
        for part in parts(root)
        if part.state in (NEW, OUTDATED)
    ]


def update(root: Path, restored: Collection[str] = ()) -> list[str]:
    """Write new and outdated files, and the record; the paths that were written. restored: paths that are written even
    if the owner edited or deleted them. Raises InputError for a path that this program does not have."""
    found = parts(root)
    if unknown := sorted(set(restored) - {part.path for part in found}):
        raise InputError(
            f"{unknown[0]} is not a file of this program", remedy="List its files with: zoo sync --list"
        )
    known, written = _record(root), []
    for part in found:
        if part.state in (NEW, OUTDATED) or part.path in restored:
            path = root / part.path
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, part.text)
            written.append(part.path)
        if part.state not in (EDITED, DELETED) or part.path in restored:
            known[part.path] = _sha256(part.text)
    text = pretty_json({"schema": SCHEMA, "files": dict(sorted(known.items()))})
    if read(root / RECORD) != text:
        write_atomic(root / RECORD, text)
    return written


def _state(now: str | None, text: str, known: str | None) -> str:
    if now is None:
        return DELETED if known else NEW
    if now == text:
        return CURRENT
    return OUTDATED if known == _sha256(now) else EDITED


def _texts() -> dict[str, str]:
    """Path in a zoo -> text, of every file below ``parts``."""
    # Python keeps what it compiled next to a script.
    files = sorted(path for path in _SOURCE.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {
        f"{FOLDER}/{path.relative_to(_SOURCE).as_posix()}": path.read_text(encoding="utf-8") for path in files
    }


def _record(root: Path) -> dict[str, str]:
    text = read(root / RECORD)
    if text is None:
        return {}
    try:
        found = shaped(jsontext.parse(text), _Record)
        if found["schema"] != SCHEMA:
            raise WrongShape(f"is not {SCHEMA}", "schema")
        return found["files"]
    except (jsontext.NotJson, WrongShape) as error:
        raise InputError(
            f"the record of the workflows is damaged: {error}", where=RECORD, safe="Nothing was changed.",
            remedy=f"Restore it from git: git checkout -- {RECORD}",
        ) from error  # fmt: skip


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
