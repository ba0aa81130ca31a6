"""Messages to systemd."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pi_runtime import notify


def test_a_socket_that_nobody_reads_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux keeps a few datagrams for a reader; the next sender waits for it without an end."""
    monkeypatch.setattr(notify, "PATIENCE_SECONDS", 0.01)
    waiting = Path("/proc/sys/net/unix/max_dgram_qlen")
    most = int(waiting.read_text()) if waiting.exists() else 10
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nobody:
        nobody.bind(str(tmp_path / "socket"))
        notifier = notify.Notifier(str(tmp_path / "socket"))
        for number in range(most + 5):
            notifier.send(f"STATUS={number}")
        assert nobody.recv(100) == b"STATUS=0"
