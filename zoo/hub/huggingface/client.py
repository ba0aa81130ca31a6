"""How the official client is called: how often, and its errors converted to ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from zoo import extras
from zoo.errors import InputError, RemoteError, ZooError
from zoo.hub.huggingface import faults
from zoo.hub.huggingface.contact import FIRST
from zoo.hub.huggingface.door import Door
from zoo.hub.huggingface.session import LONGEST_WAIT_SECONDS, bounded
from zoo.hub.interface import HubConflict
from zoo.progress import murmur

PAUSES_SECONDS = (1.0, 3.0)
"""Pauses between tries of requests that the client itself tries only once: references, commits, tags, new
repositories."""

_Result = TypeVar("_Result")


def patiently(ask: Callable[[], _Result], *, settled: Callable[[], _Result | None] = lambda: None) -> _Result:
    """The result of ``ask``, tried again after a fault of the network or the server.

    settled: checks whether a try whose answer was lost did its work anyway; called before every new try and at the end.
    Raises the last error of ``ask``.
    """
    for pause in (*PAUSES_SECONDS, None):
        try:
            return ask()
        except RemoteError as error:
            maybe_done, wait = error.kind in faults.MAYBE_DONE, error.wait_seconds or 0.0
            if error.facts.get(FIRST):
                raise
            if maybe_done and (found := settled()) is not None:
                return found
            if pause is None or wait > LONGEST_WAIT_SECONDS or not (maybe_done or error.transient):
                raise
            murmur(f"{error.what}; trying again in {max(pause, wait):.0f} s")
            time.sleep(max(pause, wait))
    raise AssertionError("the last pause is None")


class XetSwitch:
    """The client's only switch for its xet storage. The first user turns it off, the last one restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users, self._before = 0, False

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within the block, large files use LFS in all threads: the client has no other way."""
        from huggingface_hub import constants

        with self._lock:
            if not self._users:
                self._before = constants.HF_HUB_DISABLE_XET
            self._users += 1
            constants.HF_HUB_DISABLE_XET = True
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                constants.HF_HUB_DISABLE_XET = self._before if not self._users else True


XET = XetSwitch()
"""Lives as long as the constant that it turns: one of the process."""


@contextmanager
def plain(door: Door, repository: str = "", *, writing: bool = False) -> Iterator[None]:
    """Errors of the client, and of the HTTP library under it, as a ZooError; see ``faults``.

    Missing or invalid things become InputError, changes by someone else HubConflict. Within the block, no request waits
    for ever.
    """
    try:
        with bounded():
            yield
    except ZooError:
        raise
    except ImportError as error:
        raise extras.explain(error) or error from None
    except Exception as error:
        told = faults.of(error, door.asking(repository, writing=writing), time.time())
        if told is None:
            raise
        raise _by_kind(door.contact.judged(told) if isinstance(told, RemoteError) else told, writing) from error


def _by_kind(told: ZooError, writing: bool) -> ZooError:
    kind = told.kind if isinstance(told, RemoteError) else ""
    if kind in ("not_found", "revision_not_found", "file_not_found", "invalid"):
        return InputError(told.what, remedy=told.remedy, again=told.again)
    if kind == "conflict":
        return HubConflict(told.what, safe="Nothing was committed.", remedy=told.remedy, again=told.again)
    if writing and not told.safe:
        told.safe = "No reference of the hub shows a half release."
    return told
