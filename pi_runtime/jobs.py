"""A measurement that continues when its terminal or its connection ends: ``pi-zoo bench NAME --job ID``.

The first call starts it in a session of its own and shows its output; every later call with the same ID shows the
output from the beginning and ends with the same answer and exit code. After a lost connection, a person runs the same
command again, and nothing is measured twice.

STORE/jobs/ID/alive     locked by the measurement while it works, also after its caller was killed
STORE/jobs/ID/log, answer, code     its stderr; its stdout, once it is complete; its exit code, written last
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

from pi_runtime import report, store
from pi_runtime.settings import CouldNot, InvalidArguments

NAME = re.compile(r"[a-z0-9][a-z0-9-]{7,63}")
KEPT_SECONDS = 7 * 86_400
"""A result that nobody fetched for a week is deleted by the next job."""
LOOK_SECONDS = 0.2


def attend(name: str, work: Callable[[], int]) -> int:
    """Start the job, or find it at work or finished; its exit code. Raises CouldNot, InvalidArguments."""
    if not NAME.fullmatch(name):
        raise InvalidArguments("--job must have 8 to 64 small letters, digits and -, and begin with a letter or digit.")
    folder = store.home() / "jobs" / name
    try:
        store.make_folder(folder)
        _tidy(folder)
        with (folder / "alive").open("ab") as alive:
            if not (folder / "code").exists() and _locked(alive):
                _start(folder, work)
        return _follow(folder)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = error.filename or folder
        raise CouldNot(f"{place} cannot be used: {error.strerror}. Run the same command again.") from error


def _locked(file: IO[bytes]) -> bool:
    """True if nobody had the lock; it is ours now, and that of every process that inherits the open file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(folder: Path, work: Callable[[], int]) -> None:
    """The measurement, in a process that no terminal can end. It inherits the lock and keeps it until it ends."""
    for path in (folder / "log", folder / "answer"):
        path.write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        _run(folder, work)


def _run(folder: Path, work: Callable[[], int]) -> NoReturn:
    """In the new process: the output into files, the exit code last."""
    code = 1
    try:
        os.setsid()
        for number, place, mode in ((0, "/dev/null", os.O_RDONLY), (1, "answer", os.O_WRONLY), (2, "log", os.O_WRONLY)):
            opened = os.open(folder / place, mode | os.O_APPEND)
            os.dup2(opened, number)
            os.close(opened)
        code = work()
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the forked process must not return into its parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        with suppress(OSError):
            report.write_together({folder / "code": f"{code}\n"})
        os._exit(code)


def _follow(folder: Path) -> int:
    """Show the log as it grows, then the answer."""
    with (folder / "log").open("rb") as log:
        while True:
            # In this order: what was written before the end is read before the end is believed.
            ended = (folder / "code").exists() or not _alive(folder)
            shutil.copyfileobj(log, sys.stderr.buffer)
            sys.stderr.flush()
            if ended:
                break
            time.sleep(LOOK_SECONDS)
    try:
        code = int((folder / "code").read_text())
    except (OSError, ValueError) as error:
        raise CouldNot(
            "The measurement ended without a result; perhaps the board lost power. Run the same command again: "
            "it begins again."
        ) from error
    sys.stdout.buffer.write((folder / "answer").read_bytes())
    sys.stdout.flush()
    return code


def _alive(folder: Path) -> bool:
    with (folder / "alive").open("ab") as file:
        return not _locked(file)


def _tidy(mine: Path) -> None:
    """Delete old jobs that have ended."""
    for folder in mine.parent.iterdir():
        code = folder / "code"
        with suppress(OSError):
            if folder != mine and code.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(folder)
