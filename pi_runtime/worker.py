"""The child process that loads the file: ``python -m pi_runtime.worker``, started by ``supervise``.

Reads one JSON request on stdin and answers in JSON lines on stdout: ``{"progress": text}`` while it
works, then ``{"report": ...}`` or ``{"failed": text, "exit_code": n}``.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from pi_runtime.bench import measure
from pi_runtime.settings import CouldNot, Settings
from pi_runtime.shape import Message

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even by SIGKILL; without effect elsewhere."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def private_stdout() -> TextIO:
    """Keep the pipe to the parent for ourselves and send whatever C code prints to stderr instead."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def main() -> int:
    """Serve the one request."""
    die_with_parent()
    channel = private_stdout()

    def say(message: Message) -> None:
        channel.write(json.dumps(message, allow_nan=False) + "\n")
        channel.flush()

    request = json.load(sys.stdin)
    try:
        report = measure(
            Path(request["path"]),
            Settings(**request["settings"]),
            lambda line, runs: say({"progress": line, "runs": runs}),
        )
    except CouldNot as error:
        say({"failed": str(error), "exit_code": error.exit_code})
        return error.exit_code
    say({"report": report})
    return 0


if __name__ == "__main__":
    sys.exit(main())
