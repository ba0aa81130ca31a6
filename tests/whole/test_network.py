"""The network is shut in tests, in this process and in those that tests start."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

# An address for documentation (RFC 5737) that nobody uses.
OUTSIDE = ("192.0.2.1", 80)


def test_this_process_reaches_nobody() -> None:
    with pytest.raises(RuntimeError, match="tests must not reach"), socket.socket() as connection:
        connection.connect(OUTSIDE)


def test_a_process_of_a_test_reaches_nobody() -> None:
    code = f"import socket; socket.create_connection({OUTSIDE!r}, timeout=2)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode != 0
    assert "tests must not reach 192.0.2.1" in done.stderr
