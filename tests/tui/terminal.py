"""``zoo`` as a process in a terminal of its own, whose bytes are read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def _own_this_terminal() -> None:
    """As a shell has it: the process hears when the terminal is gone."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A pseudo terminal with ``python -m zoo`` in it. written: every byte so far."""

    def __init__(
        self, folder: Path, *words: str, size: tuple[int, int] = (80, 24), code: str = "", **more: str
    ) -> None:
        self._handle, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        path = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests"), os.environ["PYTHONPATH"]))
        environment = {**os.environ, "PYTHONPATH": path, "TERM": "xterm-256color", **more}
        start = ["-c", code] if code else ["-m", "zoo"]
        self.process = subprocess.Popen(
            [sys.executable, *start, *words], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=_own_this_terminal,
        )  # fmt: skip
        os.close(theirs)
        self.written = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened, nothing is left."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self._handle)

    def close(self) -> int:
        """The connection is lost. Returns the exit code."""
        os.close(self._handle)
        return self.process.wait(60)

    def read(self, seconds: float) -> bool:
        """Read what is there within this time. False at the end."""
        if not select.select([self._handle], [], [], seconds)[0]:
            return True
        try:
            self.written += os.read(self._handle, 1 << 16)
        except OSError:
            return False
        return True

    def until(self, words: str, seconds: float = 60.0) -> float:
        """Read until these words are written. Returns the seconds that it took."""
        began = time.monotonic()
        while words.encode() not in self.written:
            assert time.monotonic() - began < seconds and self.read(0.05), self.written[-300:]
        return time.monotonic() - began

    def type(self, keys: str) -> None:
        """As a person would."""
        os.write(self._handle, keys.encode())

    def end(self, seconds: float = 60.0) -> int:
        """Read to its end. Returns the exit code."""
        began = time.monotonic()
        while self.process.poll() is None and time.monotonic() - began < seconds:
            self.read(0.05)
        code = self.process.wait(1)
        while select.select([self._handle], [], [], 0)[0] and self.read(0):
            pass
        return code
