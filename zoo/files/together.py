"""The same work on several large files at the same time: reading, hashing and writing let other threads run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from zoo.progress import carried

_Result = TypeVar("_Result")
THREADS = 2
"""More would compete for the disk of a small board."""


def each(work: Callable[[Path], _Result], paths: Sequence[Path]) -> list[_Result]:
    """The result of ``work`` for every path, in their order. Raises the first error; work that waits is not begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [pool.submit(carried(work), path) for path in paths]
        try:
            return [job.result() for job in jobs]
        finally:
            for job in jobs:
                job.cancel()
