"""Files of a hub's commit: what is already here, free disk space, digest, rename, the other transport."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.paths import unsafe_reason
from catalog.words import data_size
from zoo.errors import AGAIN, Again, Damaged, RemoteError
from zoo.files.locks import locked
from zoo.files.whole import fsync
from zoo.hub import Incoming, Listed, ReadRepo
from zoo.hub.download import partial
from zoo.hub.download import spans as spans_room
from zoo.hub.download.lines import Lines
from zoo.hub.download.partial import Digest, Partial
from zoo.hub.download.patience import Patience
from zoo.machine.resources import free_bytes
from zoo.progress import Advance, Reporter, carried, unheard

SPARE_BYTES = 32 << 20
"""Kept free in addition to what is fetched."""

SMALL_BYTES = 4 << 20
SMALL_AT_ONCE = 4


@dataclass(frozen=True)
class Fetched:
    """A file that is here now. received: bytes from the network; resumed: bytes from an earlier try.

    by: ``here`` (already present), ``download`` or ``other way``.
    """

    file: Listed
    path: Path
    by: str
    received_bytes: int = 0
    resumed_bytes: int = 0


@dataclass(frozen=True)
class Origin:
    """A commit of a repository; ``source`` says in words where that is."""

    repo: ReadRepo
    revision: str
    source: str


def fetch_files(
    origin: Origin,
    files: Iterable[Listed],
    folder: Path,
    report: Reporter,
    patience: Patience | None = None,
    scratch: Path | None = None,
) -> list[Fetched]:
    """Fetch and verify every file of ``files`` below ``folder``.

    They grow in ``scratch``, on the same disk; ``folder/.zoo`` unless given.

    Raises RemoteError; finished files stay, and partial files are kept for the next try. A file with its final name
    always has the requested digest, unless something else wrote it.
    """
    scratch = scratch or folder / ".zoo"
    work = _Work(origin, folder, scratch / "partial", report, patience or Patience())
    ordered = sorted(files, key=lambda file: (file.size_bytes, file.path))
    for file in ordered:
        if reason := unsafe_reason(file.path):
            raise Damaged(f"{file.path!r} {reason}", where=origin.source, safe="Nothing was downloaded.")
    small = [file for file in ordered if file.size_bytes <= SMALL_BYTES]
    large = [file for file in ordered if file.size_bytes > SMALL_BYTES]
    fresh = not folder.exists()
    with locked(scratch / "lock", lambda: report.say(f"another zoo is downloading into {folder}; waiting")):
        try:
            work.need_room(ordered)
            done = work.several(small) if small else []
            for number, file in enumerate(large, 1):
                count = f" ({number} of {len(large)})" if len(large) > 1 else ""
                done.append(work.one(file, f"fetching {file.path}{count}"))
        finally:
            work.clean(scratch)
            for empty in (scratch, *([folder] if fresh else [])):
                with suppress(OSError):
                    empty.rmdir()
    return done


def is_here(path: Path, file: Listed, advance: Advance = unheard) -> bool:
    """Whether ``path`` is a regular file with the digest of ``file``."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    digest = Digest(file)
    with path.open("rb", buffering=0) as stream:
        buffer = bytearray(1 << 20)
        view = memoryview(buffer)
        while count := stream.readinto(buffer):
            digest.update(view[:count])
            advance(count)
    return digest.hexdigest() == digest.expected


@dataclass(frozen=True)
class _Work:
    origin: Origin
    folder: Path
    scratch: Path
    report: Reporter
    patience: Patience

    def need_room(self, files: Sequence[Listed]) -> None:
        """Raises RemoteError ``disk_full`` before anything is fetched."""
        needed = 0
        for file in files:
            there = self.folder / file.path
            if there.is_file() and there.stat().st_size == file.size_bytes:
                continue
            part = partial.part_path(self.scratch, file)
            # Blocks, not length: a part with holes uses less space than its length.
            needed += max(file.size_bytes - (part.stat().st_blocks * 512 if part.exists() else 0), 0)
        if needed and free_bytes(self.folder) < needed + SPARE_BYTES:
            raise disk_full(needed + SPARE_BYTES, self.folder, reserve=SPARE_BYTES)

    def several(self, files: Sequence[Listed]) -> list[Fetched]:
        """Fetch small files, some at a time."""
        total = sum(file.size_bytes for file in files)
        words = f"fetching {files[0].path}" if len(files) == 1 else f"fetching {len(files)} small files"
        with self.report.task(words, total, "B") as advance, ThreadPoolExecutor(SMALL_AT_ONCE) as pool:
            jobs = [pool.submit(carried(self._fetch), file, advance) for file in files]
            try:
                return [job.result() for job in jobs]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def one(self, file: Listed, words: str) -> Fetched:
        there = self.folder / file.path
        if there.is_file() and there.stat().st_size == file.size_bytes:
            with self.report.task(f"checking {file.path}", file.size_bytes, "B") as advance:
                if is_here(there, file, advance):
                    return Fetched(file, there, "here")
        part = partial.begin(self.scratch, file, self.origin.source)
        left = spans_room.missing(part.spans)
        if left < file.size_bytes:
            done = file.size_bytes - left
            self.report.say(
                f"{file.path}: {data_size(done)} of {data_size(file.size_bytes)} are already here"
            )
        with self.report.task(words, left, "B") as advance:
            return self._finish(part, there, advance)

    def _fetch(self, file: Listed, advance: Advance) -> Fetched:
        there = self.folder / file.path
        if is_here(there, file):
            return Fetched(file, there, "here")
        return self._finish(partial.begin(self.scratch, file, self.origin.source), there, advance)

    def _finish(self, part: Partial, there: Path, advance: Advance) -> Fetched:
        """Fill the part, verify it and rename it; try once more the other way if it is wrong."""
        file = part.file
        resumed = file.size_bytes - spans_room.missing(part.spans)
        try:
            received = self._fill(part, advance)
            found = part.digest.hexdigest()
            if found == part.digest.expected:
                self._place(part.path, part.handle, there)
                part.remove()
                return Fetched(file, there, "download", received, resumed)
        finally:
            part.close()
        part.remove()
        self.report.warn(f"{file.path} arrived with the wrong content and was deleted. Fetching it another way")
        return self._other_way(file, there, found, received)

    def _fill(self, part: Partial, advance: Advance) -> int:
        def open_(begin: int, end: int) -> Incoming:
            return self.origin.repo.incoming(self.origin.revision, part.file, begin, end, self.patience.stall_seconds)

        lines = Lines(open_, part, self.patience, self.report)
        try:
            if spans_room.missing(part.spans):
                lines.run(advance)
            part.hash_on()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                needed = spans_room.missing(part.spans) + SPARE_BYTES
                raise disk_full(needed, self.folder) from error
            raise
        return lines.received

    def _other_way(self, file: Listed, there: Path, before: str, received: int) -> Fetched:
        with tempfile.TemporaryDirectory(prefix="other-", dir=self.scratch) as name:
            came = self.origin.repo.other_way(self.origin.revision, file, Path(name))
            digest = Digest(file)
            with came.open("r+b") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
                found = digest.hexdigest()
                if found != digest.expected:
                    raise RemoteError(
                        f"{file.path} arrived with the wrong content twice: digest {found}, not {digest.expected}",
                        kind="hash_mismatch", where=self.origin.source,
                        facts={"path": file.path, "expected": digest.expected, "got": found, "got_first": before,
                               "removed": True},
                        safe="The wrong content was deleted. No file of that name was written.",
                        again=Again("later", "if this happens again, ask the owner of the repository"),
                    )  # fmt: skip
                self._place(came, stream.fileno(), there)
        return Fetched(file, there, "other way", received + file.size_bytes)

    def clean(self, own: Path) -> None:
        """Leave only parts that hold something, and what others put into ``own``. The caller holds the lock there."""
        for part in self.scratch.glob("*.part"):
            with suppress(OSError):
                if part.stat().st_size == 0:
                    part.unlink()
                    part.with_suffix(".json").unlink()
        with suppress(OSError):
            self.scratch.rmdir()
        (own / "lock").unlink(missing_ok=True)

    def _place(self, source: Path, handle: int, there: Path) -> None:
        os.fchmod(handle, 0o644)
        os.fsync(handle)
        there.parent.mkdir(parents=True, exist_ok=True)
        if there.is_dir() and not there.is_symlink():
            raise Damaged(f"{there.name} is a folder here and a file there", where=str(self.folder))
        source.replace(there)
        fsync(there.parent)


def disk_full(needed: int, folder: Path, *, reserve: int = 0) -> RemoteError:
    """The disk is full: what is needed, with the reserve in it, what is free, and where."""
    free = free_bytes(folder)
    kept = f" ({data_size(reserve)} of it in reserve)" if reserve else ""
    return RemoteError(
        f"{data_size(needed)} of disk space are needed at {folder}{kept}, {data_size(free)} are free", kind="disk_full",
        facts={"needed_bytes": needed, "free_bytes": free, "folder": str(folder)},
        safe="What was fetched so far is kept and will be used again.",
        remedy="Free some space or name another folder",
        again=AGAIN,
    )  # fmt: skip
