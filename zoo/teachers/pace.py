"""How long to wait before the next try, for all requests to one server together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from zoo.errors import RemoteError
from zoo.hub.download import MALFORMED, Patience
from zoo.progress import Reporter

T = TypeVar("T")

PATIENCE = Patience(tries=12, first_pause_seconds=0.25, longest_pause_seconds=30.0, longest_wait_seconds=1800.0)
"""Some four minutes without any answer, as for a server that starts again; and half an hour if it asks for that."""

_STEP_SECONDS = 0.2
_SAID_SECONDS = 10.0
"""Waits are reported this often at most."""


@dataclass
class Pace:
    """answers: replies that came, from any thread. A wait that the server asks for holds all requests; one after a
    failure holds only the request that failed."""

    report: Reporter
    patience: Patience = PATIENCE
    stopped: threading.Event = field(default_factory=threading.Event)
    answers: int = 0
    _until: float = 0.0
    _said: float = -_SAID_SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def came(self) -> None:
        """A reply came: the server answers."""
        with self._lock:
            self.answers += 1

    def hold(self) -> bool:
        """Wait while the server asked for it; False if the work is stopped."""
        while not self.stopped.is_set():
            with self._lock:
                left = self._until - time.monotonic()
            if left <= 0:
                return True
            self.stopped.wait(min(left, _STEP_SECONDS))
        return False

    def tried(self, ask: Callable[[], T]) -> T | None:
        """What ``ask`` returns, after as many tries as the connection needs; None if the work is stopped. Raises
        RemoteError if another try cannot help."""
        failures, malformed, before = 0, 0, self.answers
        while self.hold():
            try:
                found = ask()
            except RemoteError as error:
                if self.stopped.is_set():
                    break
                # One may wait long where others are answered.
                failures, before = failures + 1 if before == self.answers else 1, self.answers
                # That others are answered well says nothing about this one.
                malformed = malformed + 1 if error.kind == MALFORMED else 0
                if not self.failed(error, max(failures, malformed)):
                    break
            else:
                self.came()
                return found
        return None

    def failed(self, error: RemoteError, count: int) -> bool:
        """Wait after the ``count``-th failure without any answer in between; False if the work is stopped. Raises the
        error if another try cannot help."""
        wait = self.patience.pause(error, count)
        self._say(error, wait)
        if error.wait_seconds is None:
            return not self.stopped.wait(wait)
        with self._lock:
            self._until = max(self._until, time.monotonic() + wait)
        return self.hold()

    def _say(self, error: RemoteError, wait: float) -> None:
        with self._lock:
            now = time.monotonic()
            is_soon = now - self._said < _SAID_SECONDS
            self._said = self._said if is_soon else now
        if not is_soon:
            self.report.say(f"  {error.what}; trying again in {wait:.1f} s")
