"""What the machines of one training say to each other before it begins: the messages, and how one travels.

A message is one line of JSON. A machine that comes sends its version of zoo. It gets the offer, finds out whether it
can take part, and answers. When enough machines are ready, each is asked whether it still is there and gets its number,
and torchrun continues with a port of its own. Until then the connections stay open, so nobody waits for a machine that
is gone.

Nobody is asked who they are, here as in torch's own connections: the network must be one of your own.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass

ANSWERED_SECONDS = 30.0
"""Within these a machine answers."""
LONGEST = 65_536
"""Bytes of a line: a path and a few numbers."""


@dataclass(frozen=True)
class Offer:
    """What a machine is asked to take part in. folder: of the handover, at the same path on every machine; sha256: of
    its files. device: of the training; processes: on each of the ``machines``; threads: of each process."""

    folder: str
    sha256: str
    device: str
    processes: int
    machines: int
    threads: int


@dataclass(frozen=True)
class Start:
    """The last word of the leading machine. address: its own in the network that the machines share."""

    number: int
    port: int
    address: str


@dataclass(frozen=True)
class Place:
    """The part of one machine in a training. number: from 0, which leads; processes: on each machine. address, port:
    where the processes find the leading machine. own: the address of this one on the way there."""

    number: int
    machines: int
    processes: int
    address: str
    port: int
    own: str

    @property
    def world(self) -> int:
        """Processes on all machines."""
        return self.machines * self.processes


def alone(processes: int) -> Place:
    """The place of a machine that trains without others. torchrun finds a free port."""
    return Place(0, 1, processes, "127.0.0.1", 0, "127.0.0.1")


def tell(line: socket.socket, **message: object) -> None:
    """Send one message. A machine that no longer listens is noticed at the next reading."""
    try:
        line.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return


def watched(line: socket.socket) -> None:
    """Let the system notice within minutes that the other machine is gone without a word."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)


def address(meeting: tuple[str, int]) -> str:
    """The text of a host and port."""
    host, port = meeting
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
