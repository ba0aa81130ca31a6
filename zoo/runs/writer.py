"""Writes the journal of a run: one JSON object per line, appended as things happen.

WORK/runs/ID.jsonl, locked by the process that writes it. Its time is the heartbeat: it is set every second, also when
nothing is written. Every line has ``at`` (UTC), ``run``, ``event`` and, inside a step, ``step``. A line survives the
end of the process when it is written, but not a power cut. A journal never stops a run: what cannot be written is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from catalog.secrets import scrubbed
from zoo import __version__
from zoo.errors import ZooError
from zoo.files import journal
from zoo.runs.places import FOLDER, SUFFIX, is_locked

LEAST_SECONDS = 1.0
"""A shorter run leaves no journal."""
BEAT_SECONDS = 1.0
MOST_BYTES = 16 << 20
"""Of a journal. From three quarters on, only what matters is written: no progress and no talk."""
MOST_WAITING = 2000
"""Events that are kept in memory until the journal is opened."""
MOST_RUNS = 200
"""Journals that are kept; a new one takes the place of the oldest that is over."""
LOCK_TRIES = 500
_TALK = ("progress", "say")
_WHAT = "journal of this run"


def name_of(now: datetime) -> str:
    """A new id, which sorts by time: ``261129-031500-3fa9``."""
    return f"{now:%y%m%d-%H%M%S}-{os.urandom(2).hex()}"


class Recorder:
    """The journal of one run. beat: called every second, to report how far the work is."""

    def __init__(self, command: str, arguments: Sequence[str], beat: Callable[[], None] = lambda: None) -> None:
        now = datetime.now(UTC)
        self.id = name_of(now)
        self._beat = beat
        self._began, self._cpu = time.monotonic(), _cpu_seconds()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._waiting: list[dict[str, object]] = []
        self._work: Path | None = None
        self._stream: IO[bytes] | None = None
        self._failed = False
        self._step: object = None
        words = [scrubbed(word) for word in arguments]
        self.stamp({"event": "begin", "command": command, "arguments": words, "pid": os.getpid(), "zoo": __version__})

    def place(self, work: Path) -> None:
        """The work folder of the zoo that the run is about."""
        self._work = work

    def stamp(self, event: dict[str, object]) -> dict[str, object]:
        """The event with its time, run and step; it is written, or kept until the journal is opened."""
        with self._guard:
            if event["event"] == "step_begin":
                self._step = event["step"]
            within = {"step": self._step} if self._step is not None else {}
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            made: dict[str, object] = {"at": now, "run": self.id, **within, **event}
            if event["event"] == "step_end":
                self._step = None
            if self._stream is not None:
                self._write(made)
            elif len(self._waiting) < MOST_WAITING:
                self._waiting.append(made)
        return made

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within the block the journal is written, from LEAST_SECONDS on. Its last line is the result."""
        thread = threading.Thread(target=self._live, daemon=True)
        # Where memory is too small for one more thread, the run matters more than its journal.
        with contextlib.suppress(RuntimeError):
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            if thread.ident is not None:
                thread.join()

    def end(self, code: int, error: str = "") -> None:
        """The result: the exit code, and what went wrong."""
        facts = {"error": error} if error else {}
        cost = {
            "seconds": round(time.monotonic() - self._began, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "peak_memory_bytes": _peak_memory_bytes(),
        }
        self.stamp({"event": "end", "code": code, **facts, **cost})
        with self._guard:
            if self._stream is not None:
                with contextlib.suppress(OSError):
                    self._stream.close()
            self._stream, self._failed = None, True

    def _live(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            if time.monotonic() - self._began < LEAST_SECONDS:
                continue
            self._beat()
            with self._guard:
                if self._stream is None:
                    self._open()
                else:
                    with contextlib.suppress(OSError):
                        os.utime(self._stream.fileno())

    def _open(self) -> None:
        """Begin the journal, unless there is no work folder yet: looking at a zoo must not make one."""
        if self._failed or self._work is None or not self._work.is_dir():
            return
        try:
            folder = self._work / FOLDER
            folder.mkdir(exist_ok=True)
            _make_room(folder)
            path = folder / f"{self.id}{SUFFIX}"
            self._stream = path.open("xb", buffering=0)
            _lock(self._stream.fileno())
        except OSError:
            self._failed = True
            return
        for event in self._waiting:
            self._write(event)
        self._waiting.clear()

    def _write(self, event: dict[str, object]) -> None:
        """One line, under the guard. A full disk ends the journal, not the run."""
        assert self._stream is not None
        if self._failed:
            return
        try:
            if event["event"] in _TALK and os.fstat(self._stream.fileno()).st_size > MOST_BYTES * 3 // 4:
                return
            journal.append(self._stream, _clean(event), _WHAT, MOST_BYTES, settled=event["event"] not in _TALK)
        except (OSError, ZooError, TypeError, ValueError):
            self._failed = True


def _lock(handle: int) -> None:
    """Hold the journal's lock. Who looks whether it is held holds it too, for less than a millisecond. Raises OSError.
    """
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.001)
    raise OSError("another process holds the lock of a new journal")


def _clean(value: object) -> object:
    """The value as JSON can hold it, without passwords and tokens."""
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, dict):
        return {scrubbed(str(key)): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else scrubbed(str(value))


def _make_room(folder: Path) -> None:
    """Delete the oldest journals of runs that are over, so that at most MOST_RUNS are there with the new one."""
    found = sorted(folder.glob(f"*{SUFFIX}"))
    for path in found[: max(len(found) - MOST_RUNS + 1, 0)]:
        if not is_locked(path):
            path.unlink(missing_ok=True)


def _cpu_seconds() -> float:
    """Of this process and of children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_memory_bytes() -> int:
    """The most that this process or one of its ended children had, as Linux counts it (in KiB)."""
    import resource

    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(max(own, children)) * 1024
