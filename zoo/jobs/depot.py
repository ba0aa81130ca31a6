"""The folder of a machine that does not see the zoo's folder: it gets what a step needs, and keeps what may be needed.

In it are ``work``, a work folder as in a zoo, whose finished steps are named by their key; ``files``, by their digest;
and in ``zoos`` a folder for each step that is being made, with the zoo's own files that the step reads. Nobody else can
read them. What was not used for longest is deleted when the folder has more than its bound (``zoo.jobs.trim``). All of
it can be deleted when no step runs.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from catalog.paths import unsafe_reason
from catalog.words import data_size
from zoo.errors import Damaged, ZooError
from zoo.files.blobs import Blobs
from zoo.files.digests import sha256_file
from zoo.files.locks import locked_folder
from zoo.files.whole import place_file
from zoo.jobs import holds, trim
from zoo.machine.resources import free_bytes
from zoo.plan.costs import RESERVE_BYTES
from zoo.plan.store import Workspace
from zoo.runs.places import FOLDER as RUNS
from zoo.runs.places import SUFFIX
from zoo.stages.artifact import RECORD

VARIABLE = "ZOO_NODE_CACHE"
"""Of the environment of a node: where this folder is."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEAVE = "delete nothing in that folder while a step runs"


def place() -> Path:
    """The folder of this machine."""
    own = os.environ.get(VARIABLE)
    return Path(own or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/zoo/node").expanduser()


class Depot:
    """What the machine of the command asks a node for, one after the other, to have one step made there.

    Digests, keys and paths come from that machine and are checked. Raises ZooError in one sentence, which it shows.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or place()
        self.store = Workspace(self.folder / trim.WORK)
        self.blobs = Blobs(self.folder / trim.FILES)
        self._held = ExitStack()
        self._arriving = ExitStack()
        self._own: Path | None = None

    def hold(self, keys: Sequence[str], digests: Sequence[str], places: Sequence[str]) -> None:
        """Keep what a step uses until ``leave``, or until this process ends: finished steps and its own, files, and
        places in the work folder."""
        steps = [_key(key) for key in keys]
        paths = [*steps, *(f"partial/{key}" for key in steps), *map(_safe, places)]
        files = [self.blobs.path(one) for one in digests]
        names = {f"{trim.WORK}/{path}" for path in paths} | {f"{trim.FILES}/{one.name}" for one in files}
        zoos = self.folder / "zoos"
        with self._writing():
            for name in (trim.WORK, trim.FILES, trim.GOING, zoos.name):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
                (self.folder / name).chmod(0o700)
            self._trim(0, names)
            with locked_folder(zoos):
                self._held.close()
                self._own, self._held = holds.take(zoos, names)
            locks = [*map(self.store.lock, steps), *(one.with_name("locks") / one.name for one in files)]
            for used in (*locks, *(self.store.folder / path for path in places)):
                with suppress(FileNotFoundError):
                    os.utime(used)

    def steps_missing(self, keys: Sequence[str]) -> list[str]:
        """The keys whose finished steps are not here."""
        return [key for key in keys if self.store.finished(_key(key)) is None]

    def files_missing(self, digests: Sequence[str]) -> list[str]:
        """The files that are not here, or are not what they were."""
        return [sha256 for sha256 in dict.fromkeys(digests) if not self.blobs.has(sha256)]

    def expect(self, size_bytes: int) -> None:
        """Make room for so many bytes. Raises ZooError if the disk has none."""
        with self._writing():
            self._trim(size_bytes)
        free = free_bytes(self.folder)
        if free < size_bytes + RESERVE_BYTES:
            raise ZooError(
                f"{platform.node()}: {data_size(size_bytes + RESERVE_BYTES)} must be free at {self.folder} for what "
                f"the step needs, {data_size(RESERVE_BYTES)} of it in reserve; {data_size(free)} are free"
            )

    def begin(self, sha256: str) -> int:
        """How many bytes of a file are here. It is this caller's until ``finish``."""
        self._arriving.close()
        with self._writing():
            arrived = self._arriving.enter_context(self.blobs.growing(sha256))
            # It may have arrived for another step while this one waited.
            whole = self.blobs.path(sha256)
            return whole.stat().st_size if whole.exists() else arrived

    def add(self, sha256: str, start: int, data: bytes) -> None:
        """A piece of the file that was begun, from byte ``start`` on."""
        with self._writing():
            self.blobs.add(sha256, start, data)

    def finish(self, sha256: str, size_bytes: int) -> bool:
        """Whether the file has arrived as it is; what is not so is deleted."""
        with self._writing(), self._arriving:
            return self.blobs.path(sha256).exists() or self.blobs.finish(sha256, size_bytes)

    def adopt(self, key: str, digests: Mapping[str, str]) -> None:
        """Put a finished step in its place, of files that have arrived. digests: by path."""
        with self._writing(), self.store.growing(_key(key), lambda: None):
            if self.store.finished(key) is None:
                self.store.adopt(key, {path: self.blobs.path(sha256) for path, sha256 in digests.items()}, digests)

    def lay(self, given: str, zoo: Mapping[str, str], work: Mapping[str, str]) -> tuple[str, str, str]:
        """Make a zoo folder for the step of ``hold``, with files that have arrived. Returns this folder, the work
        folder, and the file with ``given``.

        given: for ``zoo.jobs.given``. zoo, work: digests by the path in each folder.
        """
        if not self._own:
            raise Damaged("no step was announced")
        told, made = self._own / "given.json", self._own / "zoo"
        with self._writing():
            made.mkdir()
            for path, sha256 in zoo.items():
                place_file(self.blobs.path(sha256), made / _safe(path))
            with locked_folder(self.folder / "work" / "hub"):
                for path, sha256 in work.items():
                    target = self.store.folder / _safe(path)
                    if not (target.exists() and target.samefile(self.blobs.path(sha256))):
                        place_file(self.blobs.path(sha256), target)
            told.write_text(given, encoding="utf-8")
        return str(made), str(self.store.folder), str(told)

    def made(self, key: str) -> dict[str, tuple[str, int]]:
        """Digest and size of every file of a finished step by its path, its record among them. Raises ZooError."""
        found = self.store.finished(_key(key))
        if found is None:
            raise ZooError(f"{platform.node()} has no finished step {key[:12]}")
        record = found.folder / RECORD
        files = {one.path: (one.sha256, one.size_bytes) for one in found.files}
        with self._reading(key, RECORD):
            return files | {RECORD: (sha256_file(record), record.stat().st_size)}

    def piece(self, key: str, path: str, start: int, count: int) -> bytes:
        """Bytes of a file of a finished step. Raises ZooError if it has gone."""
        there = self.store.folder / _key(key) / _safe(path)
        with self._reading(key, path), there.open("rb") as stream:
            stream.seek(start)
            return stream.read(count)

    def journals(self, key: str) -> dict[str, str]:
        """The journals of runs that made a step here, by their names."""
        found = {}
        for path in sorted((self.store.folder / RUNS).glob(f"*{SUFFIX}")):
            with suppress(OSError):
                text = path.read_text(encoding="utf-8", errors="replace")
                if f'"{key}"' in text:
                    found[path.name] = text
        return found

    def leave(self) -> None:
        """Delete the zoo folder of the step, and hold nothing any more."""
        if self._own:
            shutil.rmtree(self._own, ignore_errors=True)
        self._own = None
        self._held.close()
        self._arriving.close()
        # The step is finished, and the next one tries again.
        with suppress(OSError):
            self._trim(0)

    def _trim(self, arriving_bytes: int, names: Collection[str] = ()) -> None:
        """names: what a step uses that is not held yet."""
        with locked_folder(self.folder / "zoos"):
            if used := holds.used(self.folder / "zoos"):
                used = holds.Used({*used.names, *names}, used.since)
                trim.trim(self.folder, used, arriving_bytes, arriving_bytes + RESERVE_BYTES)

    @contextmanager
    def _reading(self, key: str, path: str) -> Iterator[None]:
        """A step without one of its files does not count as finished, so the next command makes it again."""
        try:
            yield
        except FileNotFoundError as error:
            raise ZooError(
                f"{platform.node()}: {path} of step {key[:12]} was deleted from {self.folder} before it was fetched. "
                f"What has been fetched is kept. Run the same command again, which makes this step again, and {_LEAVE}"
            ) from error
        except OSError as error:
            raise ZooError(
                f"{platform.node()}: {path} of step {key[:12]} in {self.folder} cannot be read: "
                f"{error.strerror or error}. What has been fetched is kept. Check the disk and the permissions there, "
                "and run the same command again"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ZooError(
                f"{platform.node()}: what was sent to {self.folder} was deleted before it was used. Finished steps "
                f"elsewhere are kept. Run the same command again, which sends it again, and {_LEAVE}"
            ) from error
        except OSError as error:
            what = "is full" if error.errno in _FULL else f"cannot be written: {error.strerror or error}"
            raise ZooError(
                f"{platform.node()}: {self.folder} {what}. Free some space there, delete this folder when no step "
                f"runs, or set {VARIABLE} where the node is started"
            ) from error


def _key(key: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", key):
        raise Damaged(f"{key[:80]!r} is not the key of a step")
    return key


def _safe(path: str) -> str:
    if reason := unsafe_reason(path):
        raise Damaged(f"the path {path[:80]!r} {reason}")
    return path
