"""This machine as a device: a board with a profile, else its memory as the system reports it."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

from catalog import device as devices
from catalog.device import Device
from zoo.machine import resources

_BOARD = Path("/proc/device-tree/model")
_COPIED_BYTES = 64 * devices.MEBI


def this_machine() -> Device:
    """Raises ValueError if the system does not report its memory."""
    total, _ = resources.memory_bytes()
    try:
        board = _BOARD.read_text(encoding="ascii", errors="replace").strip("\0\n ")
    except OSError:
        board = ""
    return profile_of(board, total) or _other(total)


def profile_of(board: str, total_bytes: int) -> Device | None:
    """The profile of a board by the name in its firmware; the system sees slightly less than all memory."""
    found = re.match(r"Raspberry Pi (Zero 2|400|[45])", board)
    if not found:
        return None
    start = "pi-" + found[1].lower().replace(" ", "-")
    fitting = [d for d in devices.DEVICES if d.id.startswith(start) and d.memory_bytes >= total_bytes]
    return min(fitting, key=lambda device: device.memory_bytes, default=None)


def _other(total_bytes: int) -> Device:
    made = devices.custom(total_bytes, _copy_speed())
    words = f"this machine ({total_bytes / devices.GIBI:.1f} GB of memory)"
    source = "Measured now on one core: the speed of copying memory, reading and writing counted."
    bandwidth = dataclasses.replace(made.bandwidth_bytes_per_second, source=source)
    return dataclasses.replace(made, id="this-machine", name=words, bandwidth_bytes_per_second=bandwidth)


def _copy_speed() -> float:
    """Bytes per second, read and written, of the best of three copies; takes about a tenth of a second."""
    source, best = bytearray(_COPIED_BYTES), 0.0
    target = bytearray(_COPIED_BYTES)
    for _ in range(3):
        began = time.perf_counter()
        memoryview(target)[:] = source
        best = max(best, 2 * _COPIED_BYTES / (time.perf_counter() - began))
    return best
