"""The folder that a release is pulled into: what would be replaced there, and the scratch folder in which files wait.

Files wait in ``FOLDER/.zoo/incoming`` until every check has passed, and get their places together. What is refused
leaves nothing behind; what a broken connection or a full disk interrupted stays for the next try.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files.digests import sha256_file
from zoo.files.locks import locked
from zoo.files.whole import fsync
from zoo.hub import Listed
from zoo.hub.download import Fetched, Origin, Patience, fetch_files
from zoo.hub.download.files import SMALL_BYTES, is_here
from zoo.hub.download.partial import part_path
from zoo.progress import Reporter

OWN = ".zoo"

SERVED_OTHERWISE = frozenset(
    {
        "disagreement", "endless", "hash_mismatch", "wrong_length", "wrong_etag", "wrong_revision", "not_found",
        "file_not_found", "revision_not_found", "content_lost",
    }
)  # fmt: skip
"""Kinds of errors about what the hub serves; all others mean only that the hub did not answer, or that this machine
could not store the answer."""


def others(folder: Path, files: Iterable[Listed], receipt: Collection[str]) -> list[str]:
    """Files in the way: with other content, and not from an earlier pull, which ``receipt`` lists.

    Raises InputError where a link would lead out of the folder.
    """
    found = []
    for file in files:
        there = folder / file.path
        for place in (folder / OWN, *there.parents):
            if place != folder and place.is_relative_to(folder) and place.is_symlink():
                raise InputError(
                    f"{place} is a link, and files may not be written through one",
                    safe="Nothing was downloaded.", remedy="Name another folder with --to",
                )  # fmt: skip
        if os.path.lexists(there) and file.path not in receipt and not is_here(there, file):
            found.append(file.path)
    return sorted(found)


_WRONG = frozenset({"endless", "hash_mismatch", "wrong_length"})
"""Kinds of errors about bytes that arrived, so that no other place can use them either."""


def _is_refused(error: ZooError) -> bool:
    """Whether an error is about what was served; a connection that ended too early is not (it is transient)."""
    return not isinstance(error, RemoteError) or (error.kind in SERVED_OTHERWISE and not error.transient)


@dataclass
class Arrival:
    """One pull into ``folder``, whose lock it holds. fresh: the folder has nothing but parts of a pull.
    borrowed: files of the folder that wait with the new ones.
    """

    folder: Path
    origin: Origin
    report: Reporter
    patience: Patience
    fresh: bool
    borrowed: set[str] = field(default_factory=set)
    _wanted: list[Listed] = field(default_factory=list)

    @property
    def incoming(self) -> Path:
        """Where the files wait."""
        return self.folder / OWN / "incoming"

    def fetch(self, files: Sequence[Listed]) -> list[Fetched]:
        """The files, each either in the folder already or waiting. Raises RemoteError."""
        here = [file for file in files if self._is_here(file)]
        wanted = [file for file in files if file not in here]
        done = [Fetched(file, self.folder / file.path, "here") for file in here]
        scratch = self.folder / OWN
        self._wanted += wanted
        return [
            *done,
            *fetch_files(self.origin, wanted, self.incoming, self.report, self.patience, scratch),
        ]

    def _is_here(self, file: Listed) -> bool:
        there = self.folder / file.path
        if file.size_bytes <= SMALL_BYTES or not there.is_file() or there.stat().st_size != file.size_bytes:
            return is_here(there, file)
        with self.report.task(f"checking {file.path}", file.size_bytes, "B") as advance:
            return is_here(there, file, advance)

    def gather(self, done: Iterable[Fetched]) -> Path:
        """All of these files in one folder, without using their space twice: for the check of a signature."""
        for one in done:
            there, waiting = self.folder / one.file.path, self.incoming / one.file.path
            if one.by != "here" or os.path.lexists(waiting):
                continue
            waiting.parent.mkdir(parents=True, exist_ok=True)
            try:
                waiting.hardlink_to(there)
            except OSError:
                # An SD card's file system has no links.
                there.replace(waiting)
            self.borrowed.add(one.file.path)
        return self.incoming

    def settle(self, done: Iterable[Fetched]) -> list[Fetched]:
        """Give every file its place. Raises Damaged where a folder is in the way."""
        done = list(done)
        for one in done:
            there = self.folder / one.file.path
            if there.is_dir() and not there.is_symlink():
                raise Damaged(f"{there.name} is a folder here and a file there", where=str(self.folder))
        for one in done:
            self._place(one.file.path)
        self._leave()
        return [dataclasses.replace(one, path=self.folder / one.file.path) for one in done]

    def _place(self, path: str) -> None:
        there, waiting = self.folder / path, self.incoming / path
        if os.path.lexists(waiting):
            there.parent.mkdir(parents=True, exist_ok=True)
            waiting.replace(there)
            fsync(there.parent)

    def has_begun(self) -> bool:
        """Whether anything arrived that a next try can use."""
        places = (self.incoming, self.folder / OWN / "partial")
        return any(path.is_file() for place in places for path in place.rglob("*"))

    def refuse(self, *, wrong: bool) -> None:
        """Nothing of this pull stays. wrong: nor do the parts of its files, which another place could resume."""
        growing = self.folder / OWN / "partial"
        for file in self._wanted if wrong else ():
            part = part_path(growing, file)
            part.unlink(missing_ok=True)
            part.with_suffix(".json").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            growing.rmdir()
        for path in self.borrowed:
            self._place(path)
        self._leave()
        own = self.folder / OWN
        if not {path.name for path in own.iterdir()} - {LOCK, "lock"}:
            for name in (LOCK, "lock"):
                (own / name).unlink(missing_ok=True)
        for empty in (own, *([self.folder] if self.fresh else [])):
            with contextlib.suppress(OSError):
                empty.rmdir()

    def _leave(self) -> None:
        shutil.rmtree(self.incoming, ignore_errors=True)


LOCK = "pull.lock"


def _is_ours(folder: Path) -> bool:
    """Whether a folder is not there yet, or has nothing but the parts of a pull that was interrupted."""
    if not os.path.lexists(folder):
        return True
    with contextlib.suppress(OSError):
        own = {path.name for path in (folder / OWN).iterdir()}
        return [path.name for path in folder.iterdir()] == [OWN] and not own - {LOCK, "lock", "incoming", "partial"}
    return False


@contextlib.contextmanager
def arriving(folder: Path, origin: Origin, report: Reporter, patience: Patience) -> Iterator[Arrival]:
    """A pull into ``folder``; if it is refused within the block, nothing of it stays."""
    made = Arrival(folder, origin, report, patience, fresh=_is_ours(folder))
    waiting = f"another zoo is downloading into {folder}; waiting"
    with locked(folder / OWN / LOCK, lambda: report.say(waiting)):
        try:
            yield made
        except ZooError as error:
            if _is_refused(error) or not made.has_begun():
                made.refuse(wrong=getattr(error, "kind", "") in _WRONG)
            raise


def some(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def digests(done: Iterable[Fetched]) -> dict[str, str]:
    """sha256 by path; a hub may report another digest of a small file."""
    return {one.file.path: one.file.sha256 or sha256_file(one.path) for one in done}
