"""Waits for what another thread or process does, for as long as a busy machine may need."""

from __future__ import annotations

import time
from collections.abc import Callable

FAR_SECONDS = 120.0
"""Only what never comes takes as long."""


def until(there: Callable[[], object], words: str = "it never came") -> None:
    """Returns as soon as ``there()`` is true. AssertionError with ``words`` if it never is."""
    end = time.monotonic() + FAR_SECONDS
    while not there():
        assert time.monotonic() < end, words
        time.sleep(0.005)
