"""Shuts the network but for this machine itself, and spares the disk. Python loads this by itself in every process of
a test.

``conftest.py`` puts this folder on PYTHONPATH and loads the file in its own process.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any


class NetworkIsShut(RuntimeError):
    """A test reached for a machine that is not this one."""


def _refuse_the_outside(family: int, address: Any) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = str(address[0])
    try:
        inside = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        inside = host in ("", "localhost")
    if not inside:
        raise NetworkIsShut(f"tests must not reach {host}")


def _shut(method: str, address_position: int) -> None:
    original = getattr(socket.socket, method)

    def guarded(self: socket.socket, *arguments: Any) -> Any:
        _refuse_the_outside(self.family, arguments[address_position])
        return original(self, *arguments)

    setattr(socket.socket, method, guarded)


_shut("connect", 0)
_shut("connect_ex", 0)
_shut("sendto", -1)


def _not_waiting(handle: Any) -> None:
    """No test cuts the power, and a process that is killed loses nothing that it wrote. A closed file is an error."""
    os.fstat(handle if isinstance(handle, int) else handle.fileno())


os.fsync = os.fdatasync = _not_waiting
