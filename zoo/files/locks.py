"""Locks between processes, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock between processes; ``on_wait`` is called once if another holds it.

    The lock is on the file ``path``, which is created if missing, or on an existing folder. For a folder that may be
    missing, see ``locked_folder``.
    """
    told = False

    def wait() -> None:
        nonlocal told
        if not told:
            on_wait()
        told = True

    while (handle := _taken(path, wait)) is None:
        pass
    try:
        yield
    finally:
        os.close(handle)


def _taken(path: Path, on_wait: Callable[[], None]) -> int | None:
    """The handle that holds the lock; None if the file was deleted or replaced while this waited for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        # Who held the lock has just removed the folder, because nothing was left in it.
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        yield


@contextmanager
def locked_now(path: Path | None) -> Iterator[bool]:
    """Hold the lock of ``locked`` if it is free: yields whether it is held. None is always free."""
    if path is None:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
