"""The branches and tags of a folder hub: a file each, and a log of their moves. The caller holds the lock."""

from __future__ import annotations

import os
import re
from pathlib import Path

from zoo.errors import InputError
from zoo.files.digests import canonical_json
from zoo.files.whole import fsync, sweep, write_atomic

_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,95}){0,3}\Z")
_MOST_REF = 200


def read(repository: Path, kind: str) -> dict[str, str]:
    """Commits by name. kind: ``heads`` or ``tags``. What a damaged file has instead of a commit is not checked."""
    folder = repository / "refs" / kind
    paths = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
    texts = {path: path.read_text(encoding="ascii", errors="replace").strip() for path in paths}
    return {path.name.replace("%2F", "/"): text for path, text in texts.items()}


def move(repository: Path, kind: str, name: str, oid: str, message: str = "") -> None:
    """Make or move a ref. Raises InputError for a name that none may have."""
    if not _REF.match(name) or len(name) > _MOST_REF:
        raise InputError(f"{name!r} is not a valid name for a {'tag' if kind == 'tags' else 'branch'}")
    sweep(repository / "refs" / kind)
    _log(repository, kind, name, oid, message)
    write_atomic(repository / "refs" / kind / _file_name(name), oid + "\n")


def remove(repository: Path, kind: str, name: str) -> None:
    """Delete a ref that exists."""
    _log(repository, kind, name, None)
    (repository / "refs" / kind / _file_name(name)).unlink(missing_ok=True)
    fsync(repository / "refs" / kind)


def _log(repository: Path, kind: str, name: str, oid: str | None, message: str = "") -> None:
    """Append a move of a ref; None: it is deleted. message: of a tag."""
    entry = {"ref": f"{kind}/{name}", "oid": oid} | ({"message": message} if message else {})
    with (repository / "refs.log").open("a", encoding="utf-8") as log:
        log.write(canonical_json(entry) + "\n")
        log.flush()
        os.fsync(log.fileno())


def _file_name(name: str) -> str:
    return name.replace("/", "%2F")
