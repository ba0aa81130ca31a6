"""How to recover lost parts of a folder hub: a commit from its files, a branch from the log of its moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from catalog import jsontext
from zoo.files.digests import digest
from zoo.files.listing import FileRecord


def body_of(
    folder: Path, oid: str, files: Iterable[FileRecord], title: str, parents: Iterable[str] = ()
) -> dict[str, object] | None:
    """The commit with this id, or with these first digits, tried with ``parents`` and every one that the repository
    ``folder`` knows; None if none gives it.

    A commit is named by the digest of its content, so the right one is certain.
    """
    listed = {file.path: [file.sha256, file.size_bytes] for file in files}
    known = {path.stem for path in (folder / "commits").glob("*.json")} | {commit for _, commit in _moves(folder)}
    for parent in [None, *sorted(known.union(parents))]:
        body: dict[str, object] = {"parent": parent, "message": title, "files": listed}
        if digest(body).startswith(oid):
            return body
    return None


def last_place(folder: Path, branch: str, readable: Callable[[str], bool]) -> str | None:
    """The last readable commit that a branch was on, by the log of its moves."""
    places = [oid for ref, oid in _moves(folder) if ref == f"heads/{branch}"]
    return next((oid for oid in reversed(places) if readable(oid)), None)


def _moves(folder: Path) -> Iterator[tuple[str, str]]:
    """Reference and commit of each line of refs.log; damaged lines are left out."""
    try:
        lines = (folder / "refs.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            entry = jsontext.parse(line)
        except jsontext.NotJson:
            continue
        if isinstance(entry, dict):
            yield str(entry.get("ref")), str(entry.get("oid"))
