"""Machines that meet for a training: threads of this process that lead and join, and connections that say anything."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shortchats import Heard
from waiting import until

import zoo
from zoo.errors import ZooError
from zoo.training import joining as joining_room
from zoo.training import leading
from zoo.training.meeting import Offer, Place

OFFER = Offer("/zoo/build/work/partial/1/scratch/together", "ab" * 32, "cpu", 2, 3, 1)


def free() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return "127.0.0.1", int(found.getsockname()[1])


class Leading:
    """A training that waits, in a thread: its place, or its error."""

    def __init__(self, where: tuple[str, int], offer: Offer = OFFER, patience_seconds: float = 60.0) -> None:
        self.heard = Heard()
        self.found: list[Place | ZooError] = []
        self.thread = threading.Thread(target=self._lead, args=(where, offer, patience_seconds))
        self.thread.start()

    def _lead(self, *given: Any) -> None:
        where, offer, patience = given
        try:
            self.found.append(leading.lead(where, offer, self.heard, patience))
        except ZooError as error:
            self.found.append(error)

    def end(self) -> Place | ZooError:
        self.thread.join(30)
        return self.found[0]


def joining(where: tuple[str, int], look: Callable[[Offer], str] = lambda _: "") -> Callable[[], tuple[Offer, Place]]:
    """Joins in a thread; the result waits for its end."""
    found: list[tuple[Offer, Place]] = []
    thread = threading.Thread(target=lambda: found.append(joining_room.arrive(where, look, Heard())))
    thread.start()

    def end() -> tuple[Offer, Place]:
        thread.join(30)
        return found[0]

    return end


@contextmanager
def said(where: tuple[str, int], *lines: bytes) -> Iterator[socket.socket]:
    """A connection that says these lines."""
    with socket.create_connection(where, timeout=30) as line:
        for one in lines:
            line.sendall(one + b"\n")
        yield line


READY = (json.dumps({"zoo": zoo.__version__}).encode(), b'{"ready": true}')


def waits(where: tuple[str, int]) -> None:
    until(lambda: socket.socket().connect_ex(where) == 0)
