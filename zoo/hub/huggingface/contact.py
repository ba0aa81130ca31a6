"""The first contact with a hub that is only read: within seconds it is known, and reported once, that it is away.

A publisher waits for a hub and tries again. A reader may have a mirror, and nothing to lose.
"""

from __future__ import annotations

import socket
import threading
import urllib.request
from dataclasses import dataclass, field

from zoo.addresses import Origin, origin
from zoo.errors import AGAIN, RemoteError

CONNECT_SECONDS = 5.0
FIRST_SECONDS = 6.0
"""For the first answer of a hub. Later ones may take longer, because it is there."""

FIRST = "first_contact"
"""Fact of an error: the hub has not answered at all, so it is not asked again."""

_waiting: set[Origin] = set()


@dataclass
class Contact:
    """What is known of whether a hub is there. quick: it is only read."""

    address: str
    quick: bool
    _why: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def check(self) -> None:
        """Raises RemoteError if nothing takes connections at the address, or if it did not answer before."""
        if not self.quick:
            return
        with self._lock:
            if self._why is None:
                self._why = _refused(self.address)
                if not self._why:
                    _waiting.add(origin(self.address))
            if self._why:
                raise self._error(self._why)

    def judged(self, error: RemoteError) -> RemoteError:
        """An error of a request; if the hub has never answered and is silent, one that is final."""
        if self.quick and error.kind == "stalled" and is_awaited(self.address):
            self._why = f"no answer within {FIRST_SECONDS:.0f} seconds"
            _waiting.discard(origin(self.address))
            return self._error(self._why)
        return error

    def _error(self, why: str) -> RemoteError:
        return RemoteError(
            f"{self.address} cannot be reached: {why}", kind="unreachable",
            facts={"address": self.address, FIRST: True}, remedy="Check the address and the network", again=AGAIN,
        )  # fmt: skip


def is_awaited(address: str) -> bool:
    """Whether the hub of an address is only read and has not answered yet."""
    return bool(_waiting) and origin(address) in _waiting


def is_any_awaited() -> bool:
    """Whether there is such a hub."""
    return bool(_waiting)


def has_answered(address: str) -> None:
    """Note that the hub of an address is there."""
    if _waiting:
        _waiting.discard(origin(address))


def _refused(address: str) -> str:
    """Why nothing takes connections at an address; empty if something does, or if a proxy is asked instead."""
    scheme, host, port = origin(address)
    if scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return ""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except TimeoutError:
        return f"no connection within {CONNECT_SECONDS:.0f} seconds"
    except OSError as error:
        return error.strerror or str(error)
    return ""
