"""The system's ``ssh``: keys, known hosts and addresses are those of its own configuration. The only door to it.

Nothing is asked (BatchMode), so a program that runs at night fails with a sentence instead of waiting for a password.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from zoo.errors import InputError, ZooError

OWN_FAILURE = 255
"""The exit code of ssh itself: no connection, or a lost one."""
ABSENT = 127
"""The exit code of a shell that does not find the program."""
CONNECT_SECONDS, ALIVE_SECONDS, ALIVE_COUNT = 10, 10, 3
"""A connection that is silent for 30 s counts as lost: a board without power answers nothing."""
MOST_ANSWER_BYTES = 4 << 20
MOST_LINE_CHARACTERS = 2000

_ADDRESS = re.compile(
    r"(?:ssh://)?(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\])(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True)
class Board:
    """A machine as ssh reaches it. port 0: the one that ssh's configuration has."""

    user: str
    host: str
    port: int

    @property
    def words(self) -> str:
        """``pi@board.local`` or ``board:2222``."""
        name = f"{self.user}@{self.host}" if self.user else self.host
        return f"{name}:{self.port}" if self.port else name


@dataclass(frozen=True)
class Ended:
    """How a command on a board ended. last: the last line of its stderr."""

    code: int
    answer: bytes
    last: str


def board(text: str) -> Board:
    """The machine of ``ssh://USER@HOST:PORT``, of which only HOST must be there. Raises InputError."""
    found = _ADDRESS.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if not found or port > 65_535 or (found["port"] and not port):
        raise InputError(f"{text!r} is not the address of a board", remedy="Write it like ssh://pi@board.local")
    return Board(found["user"] or "", found["host"].strip("[]"), port)


def command(one: Board, words: Sequence[str]) -> list[str]:
    """The line that runs ``words`` on the board."""
    settings = {
        "BatchMode": "yes", "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": ALIVE_SECONDS, "ServerAliveCountMax": ALIVE_COUNT,
        # A connection of its own that stays in the background would keep our end of its stderr open.
        "ControlMaster": "no",
    }  # fmt: skip
    line = ["ssh", "-T", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]
    line += [*(["-p", str(one.port)] if one.port else []), *(["-l", one.user] if one.user else [])]
    return [*line, "--", one.host, shlex.join(words)]


def run(one: Board, words: Sequence[str], heard: Callable[[str], None]) -> Ended:
    """Run a command on the board; each line of its stderr goes to ``heard``. Raises ZooError without ssh here."""
    try:
        process = subprocess.Popen(
            command(one, words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise ZooError(
            "the program ssh was not found on this machine", safe="Nothing was started.",
            remedy="Install it; on Debian: sudo apt install openssh-client",
        ) from error  # fmt: skip
    with process:
        assert process.stdout and process.stderr
        lines = _Lines(heard)
        reader = threading.Thread(target=lines.read, args=(process.stderr,), daemon=True)
        reader.start()
        try:
            answer = process.stdout.read(MOST_ANSWER_BYTES)
            if process.stdout.read(1):
                raise ZooError(f"{one.words} answers with more than {MOST_ANSWER_BYTES >> 20} MiB")
            code = process.wait()
        finally:
            process.kill()
        reader.join()
    return Ended(code, answer, lines.last)


class _Lines:
    """Hands on each line of a stream, of which no line is longer than MOST_LINE_CHARACTERS."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self.last = ""

    def read(self, stream: IO[bytes]) -> None:
        while line := stream.readline(MOST_LINE_CHARACTERS):
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self.last = text
                self._heard(text)
