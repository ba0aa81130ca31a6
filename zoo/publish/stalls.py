"""Warns when there is no progress: the client of a hub waits in silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.progress import Advance, Reporter, unheard

STALL_SECONDS = 15.0


@contextmanager
def watched(report: Reporter, what: str, advance: Advance = unheard) -> Iterator[Advance]:
    """Within the block, warn after STALL_SECONDS without progress, then after twice that, and so on."""
    over = threading.Event()
    last = [time.monotonic()]

    def moved(amount: float) -> None:
        last[0] = time.monotonic()
        advance(amount)

    def watch() -> None:
        wait = STALL_SECONDS
        while not over.wait(max(last[0] + wait - time.monotonic(), 0.01)):
            quiet = time.monotonic() - last[0]
            if quiet >= wait:
                report.warn(f"no progress reported for {quiet:.0f} s: {what}. Still trying; it is safe to stop")
                wait *= 2
            elif quiet < STALL_SECONDS:
                wait = STALL_SECONDS

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield moved
    finally:
        over.set()
        thread.join()
