"""Messages to systemd: the protocol of sd_notify(3), one datagram on the socket that systemd names."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass

PATIENCE_SECONDS = 5.0
"""systemd reads nothing while it reloads itself. A service that is asked to stop waits for it no longer than this."""


@dataclass
class Notifier:
    """address: the socket, None outside systemd. watchdog_seconds: systemd kills a service that is silent longer."""

    address: str | None = None
    watchdog_seconds: float | None = None
    _extended: float = 0.0

    @classmethod
    def of_environment(cls) -> Notifier:
        """The socket and the watchdog's time that systemd gave this process."""
        address = os.environ.get("NOTIFY_SOCKET") or None
        micros = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return cls(address, int(micros) / 1e6 if micros.isdecimal() and mine and int(micros) else None)

    def send(self, *lines: str) -> None:
        """Send lines such as READY=1. A socket that nobody reads must not stop the service."""
        if self.address is None:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            # Linux keeps ten for a reader (net.unix.max_dgram_qlen); the next sender waits for it without an end.
            link.settimeout(PATIENCE_SECONDS)
            try:
                link.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), name)
            except OSError:
                return

    def extend(self, seconds: int) -> None:
        """Ask for this much more time to start, at most once every five seconds: a large file is read slowly."""
        if time.monotonic() - self._extended >= 5.0:
            self._extended = time.monotonic()
            self.send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}")
