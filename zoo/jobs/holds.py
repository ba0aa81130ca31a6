"""What the steps that run on a node use. Each has a folder, which its process holds by a lock until it ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from catalog import jsontext
from catalog.shapes import shaped
from zoo.files.digests import canonical_json
from zoo.files.locks import locked, locked_now
from zoo.files.whole import write_atomic

_NAMES = "uses.json"
"""In the folder of a step."""


@dataclass(frozen=True)
class Used:
    """Names of what steps use, in the folder of the node; and when the first of them began, in seconds."""

    names: Collection[str] = ()
    since: float = float("inf")


def take(folder: Path, names: Collection[str]) -> tuple[Path, ExitStack]:
    """A new folder in ``folder`` for a step that uses what is named, and its lock. The caller holds the lock of
    ``folder``. Those of processes that are gone are deleted."""
    for left in folder.iterdir():
        with locked_now(left) as is_free:
            if is_free:
                shutil.rmtree(left, ignore_errors=True)
    made, held = Path(tempfile.mkdtemp(dir=folder)), ExitStack()
    held.enter_context(locked(made))
    write_atomic(made / _NAMES, canonical_json(sorted(names)))
    return made, held


def used(folder: Path) -> Used | None:
    """What all steps that run use; None if one of them does not say it. The caller holds the lock of ``folder``."""
    names, since = set[str](), float("inf")
    for place in folder.iterdir():
        with locked_now(place) as is_free:
            if is_free:
                continue
        try:
            names |= {*shaped(jsontext.read(place / _NAMES, bounded=False), list[str])}
            since = min(since, (place / _NAMES).stat().st_mtime)
        except (OSError, ValueError):
            return None
    return Used(names, since)
