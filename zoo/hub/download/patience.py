"""How long to wait, and how often to try."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from zoo.errors import RemoteError
from zoo.progress import Reporter

T = TypeVar("T")

STORAGE_TRIES = 3
"""Tries if a hub's storage refuses its own address, which may have expired: every try asks the hub for a new one."""

MALFORMED, MALFORMED_TRIES = "malformed", 3
"""The kind of an error for an answer that does not follow the protocol, and tries of it: a proxy's page may be gone the
next time, but a server that speaks another protocol will not learn this one."""


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try.

    stall_seconds: without a byte, and the span over which ``least_bytes_per_second`` must be reached.
    tries: in a row without a megabyte of progress.
    longest_wait_seconds: if a hub asks for a longer wait, it is reported instead.
    """

    stall_seconds: float = 30.0
    least_bytes_per_second: float = 1024.0
    tries: int = 6
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 20.0
    longest_wait_seconds: float = 300.0
    most_connections: int = 4
    probe_seconds: float = 1.5
    gain: float = 1.2
    least_span_bytes: int = 8 << 20

    def pause(self, error: RemoteError, count: int, tries: int | None = None) -> float:
        """Seconds before the next try after ``count`` failures in a row: growing, or what the other side asks for.

        Raises the error if another try cannot help, there were too many, or the wait is too long.
        """
        grown = min(self.first_pause_seconds * 2 ** (count - 1), self.longest_pause_seconds)
        wait: float = grown * random.uniform(0.75, 1.25)
        if error.wait_seconds is not None:
            wait = max(error.wait_seconds, 0.05)
        most = tries or self.tries
        if error.kind.startswith("storage_"):
            most = min(most, STORAGE_TRIES)
        if error.kind == MALFORMED:
            most = min(most, MALFORMED_TRIES)
        if not error.transient or count >= most or wait > self.longest_wait_seconds:
            raise error
        return wait


def retrying(work: Callable[[], T], patience: Patience, report: Reporter, tries: int | None = None) -> T:
    """The result of ``work``, with retries while another try may help. Raises the last RemoteError."""
    count = 0
    while True:
        try:
            return work()
        except RemoteError as error:
            count += 1
            wait = patience.pause(error, count, tries)
            report.say(f"  {error.what}; trying again in {wait:.1f} s")
            time.sleep(wait)
