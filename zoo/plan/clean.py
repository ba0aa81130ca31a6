"""Which caches of the work folder can be deleted, their sizes, and deleting them. No results are deleted.

Finished steps, labels and release folders are never touched: deleted caches are made again when they are needed. Only
``published``, copies that other builds took the place of, may exist nowhere else but on a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.files.locks import locked_now
from zoo.plan.store import Workspace
from zoo.progress import Reporter
from zoo.runs.places import FOLDER, SUFFIX
from zoo.sources import parts

KINDS = {
    "tensors": "quantized tensors, shared by files of a ladder and by recipes",
    "interrupted": "partial work of interrupted steps; these start from the beginning",
    "joined": "sources that packages ship in parts, joined",
    "teachers": "teachers' answers for training rows, shared by students",
    "runs": "journals of runs that are over; zoo runs lists them",
    "published": "published copies of versions that were built again",
}
"""What can be cleaned, and what it is."""


@dataclass(frozen=True)
class Found:
    """One kind on the disk. busy: entries in use by a running process, which are kept."""

    kind: str
    files: int
    size_bytes: int
    busy: int


def look(work: Path, published: Sequence[Path] = ()) -> list[Found]:
    """Every kind; a file that disappears in the meantime does not count. published: the copies of that kind."""
    return [_each(kind, _entries(work, kind, published), delete=False) for kind in KINDS]


def clean(work: Path, kind: str, report: Reporter, published: Sequence[Path] = ()) -> Found:
    """Delete a kind; entries in use by a running process are kept. Returns what was deleted."""
    with report.task(f"Deleting {kind}", None, "bytes") as advance:
        return _each(kind, _entries(work, kind, published), delete=True, advance=advance)


_Entries = Iterable[tuple[Path, Path | None]]


def _entries(work: Path, kind: str, published: Sequence[Path]) -> _Entries:
    return [(path, None) for path in published] if kind == "published" else _ENTRIES[kind](work)


def _each(
    kind: str, entries: _Entries, *, delete: bool, advance: Callable[[float], None] = lambda _: None
) -> Found:
    files = size = busy = 0
    for folder, lock in entries:
        # Looking must not leave anything behind, not even a lock file.
        with locked_now(lock if delete or (lock and lock.exists()) else None) as ours:
            if not ours:
                busy += 1
                continue
            for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else [folder]:
                gone = _size(path)
                if delete:
                    _remove(path)
                if gone is not None:
                    files, size = files + 1, size + gone
                    advance(gone)
            if delete and kind != "tensors":
                _remove(folder)
    return Found(kind, files, size, busy)


def _tensors(work: Path) -> Iterator[tuple[Path, None]]:
    """Complete blobs. Another process may be reading one (it then makes it again) or writing one (under a different
    name)."""
    for blob in sorted((work / "tensors").glob("??/*")):
        yield blob, None


def _interrupted(work: Path) -> Iterator[tuple[Path, Path]]:
    workspace = Workspace(work)
    for partial in sorted((work / "partial").glob("*")):
        yield partial, workspace.lock(partial.name)


def _teachers(work: Path) -> Iterator[tuple[Path, Path]]:
    for folder in sorted((work / "teachers").glob("*")):
        if folder.is_dir():
            yield folder, folder.with_suffix(".lock")


def _joined(work: Path) -> Iterator[tuple[Path, None]]:
    """A file that is open stays readable."""
    for folder in sorted((work / parts.FOLDER).glob("*")):
        yield folder, None


def _runs(work: Path) -> Iterator[tuple[Path, Path]]:
    """A journal is locked by the run that writes it."""
    for path in sorted((work / FOLDER).glob(f"*{SUFFIX}")):
        yield path, path


_ENTRIES: dict[str, Callable[[Path], _Entries]] = {
    "tensors": _tensors,
    "interrupted": _interrupted,
    "joined": _joined,
    "teachers": _teachers,
    "runs": _runs,
}


def _size(path: Path) -> int | None:
    """Bytes of a regular file, None for anything else and for a missing file."""
    try:
        return path.lstat().st_size if path.is_symlink() or path.is_file() else None
    except FileNotFoundError:
        return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
