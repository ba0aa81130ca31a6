"""Keeps the folder of a node within its bound: what was not used for longest is deleted, never what a step uses.

An entry vanishes by one rename, so a kill leaves nothing that is incomplete. A file that several entries share, as hard
links, counts once.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError
from zoo.files.locks import locked_now
from zoo.jobs.holds import Used
from zoo.machine import resources
from zoo.sources import parts

VARIABLE = "ZOO_NODE_CACHE_GB"
"""Of the environment of a node: how much the folder may keep, in GB (10^9 bytes)."""
MOST_BYTES = 200 * 10**9
"""If the variable is not set, and at most half of the disk. A recipe of the full size plans with half as much."""
WORK, FILES, GOING = "work", "files", "going"
"""In the folder: finished steps and more, files by their digest, and what is being deleted."""

Inode = tuple[int, int]


@dataclass(frozen=True)
class Entry:
    """What is kept or deleted as one. places: its files and folders, of which the first one names it. lock: is held
    while it changes. is_named: whether the hold of a step that uses it has its name; any other entry was last used
    after that step began."""

    places: tuple[Path, ...]
    lock: Path | None
    is_named: bool = True


@dataclass(frozen=True)
class Weighed:
    """An entry with its name in the folder, when it was last used (seconds), and the sizes of its files."""

    entry: Entry
    name: str
    used: float
    sizes: Mapping[Inode, int]


def most_bytes(folder: Path) -> int:
    """How much ``folder`` may keep. Raises InputError for a variable that is not a whole number from 1."""
    said = os.environ.get(VARIABLE, "").strip()
    if not said:
        return min(MOST_BYTES, resources.disk_bytes(folder) // 2)
    if not said.isascii() or not said.isdigit() or len(said) > 9 or not int(said):
        raise InputError(
            f"{VARIABLE} is {said[:80]!r}, not a whole number of GB from 1",
            remedy="Correct it where the node is started",
        )
    return int(said) * 10**9


def trim(folder: Path, used: Used, arriving_bytes: int, wanted_bytes: int) -> None:
    """Delete entries so that the folder is within its bound with ``arriving_bytes`` more; and more of them if
    ``wanted_bytes`` of the disk are not free, and can be. used: by the steps that run. The caller holds the lock of
    their folder."""
    _sweep(folder)
    found = sorted((_weighed(folder, one) for one in _entries(folder)), key=lambda one: (one.used, one.name))
    kept = sum({inode: size for one in found for inode, size in one.sizes.items()}.values())
    chosen, _ = surplus(found, used, kept + arriving_bytes - most_bytes(folder))
    lacking = wanted_bytes - resources.free_bytes(folder)
    more, freed = surplus(found, used, lacking)
    for one in max(chosen, more if freed >= lacking else [], key=len):
        _delete(one, folder)


def surplus(found: Sequence[Weighed], used: Used, needed_bytes: int) -> tuple[list[Weighed], int]:
    """The first entries whose files have ``needed_bytes``, or all that may be deleted; and how much that frees."""
    links = Counter(inode for one in found for inode in one.sizes)
    chosen: list[Weighed] = []
    freed = 0
    for one in found:
        if freed >= needed_bytes:
            break
        if one.name in used.names or (not one.entry.is_named and one.used >= used.since):
            continue
        chosen.append(one)
        links.subtract(one.sizes.keys())
        freed += sum(size for inode, size in one.sizes.items() if not links[inode])
    return chosen, freed


def _entries(folder: Path) -> Iterator[Entry]:
    work, files = folder / WORK, folder / FILES
    for place in work.glob("[0-9a-f]*"):
        if len(place.name) == 64:
            yield Entry((place, work / "checked" / f"{place.name}.json"), work / "locks" / place.name)
    for place in work.glob("partial/*"):
        yield Entry((place,), work / "locks" / place.name)
    for place in (*work.glob("teachers/*"), *work.glob("labels/*")):
        if place.suffix != ".lock":
            yield Entry((place,), place.with_suffix(".lock"), is_named=False)
    for place in work.glob("hub/*/*"):
        if place.is_dir():
            yield Entry((place, place.with_name(f"{place.name}.json")), None, is_named=place.parent.name != ".zoo")
    for place in (*work.glob("tensors/??/*"), *work.glob(f"{parts.FOLDER}/*")):
        yield Entry((place,), None, is_named=False)
    for name in {place.name.partition(".")[0] for place in files.glob("*") if place.is_file()}:
        yield Entry((files / name, files / f"{name}.part"), files / "locks" / name)


def _weighed(folder: Path, entry: Entry) -> Weighed:
    sizes: dict[Inode, int] = {}
    used = 0.0
    lock = [entry.lock] if entry.lock else []
    for place in (*entry.places, *entry.places[0].rglob("*"), *lock):
        with suppress(OSError):
            found = place.lstat()
            used = max(used, found.st_mtime)
            if not place.is_dir():
                sizes[found.st_dev, found.st_ino] = found.st_size
    return Weighed(entry, entry.places[0].relative_to(folder).as_posix(), used, sizes)


def _delete(one: Weighed, folder: Path) -> None:
    """A process that was just lost may still hold the lock; then the entry stays for now."""
    with locked_now(one.entry.lock) as is_free:
        if is_free:
            for place in one.entry.places:
                # What cannot be moved stays, and a place may not be there.
                with suppress(OSError):
                    place.rename(folder / GOING / place.name)
            if one.entry.lock:
                one.entry.lock.unlink(missing_ok=True)
    _sweep(folder)


def _sweep(folder: Path) -> None:
    for left in (folder / GOING).glob("*"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
