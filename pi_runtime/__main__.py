"""``pi-zoo``, also ``python3 -m pi_runtime``: arguments in, answer on stdout, messages on stderr.

Exit codes: 0 done (of ``bench``: measured, valid or not, which the report says), 1 could not, 2 invalid arguments,
130 stopped by Ctrl-C, 143 stopped by SIGTERM. Stopped or failed, no file is left behind but the part of a download that
the next try continues.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from pi_runtime import asking, checking, jobs, keeping, measuring, options, remembering, talking
from pi_runtime.settings import CouldNot


class Stopped(BaseException):
    """A signal asked the program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def parser() -> argparse.ArgumentParser:
    """The command line; argparse refuses unknown arguments with exit code 2."""
    return options.parser()


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "list": asking.show_list,
    "recommend": asking.show_recommendation,
    "pull": keeping.pull,
    "use": keeping.use,
    "run": talking.run,
    "embed": talking.embed,
    "serve": talking.serve,
    "bench": measuring.bench,
    "history": remembering.show,
    "doctor": checking.doctor,
    "verify": keeping.verify,
    "remove": keeping.remove,
}


LEFT = "stopped; no partial file is left"
ENDED = {"serve": "the server was stopped", "run": "stopped"}
"""What a signal ends, where no file could be left."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A locale without some letter must not end the program.
            stream.reconfigure(errors="backslashreplace")
    arguments = options.parse(argv)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    job: str | None = getattr(arguments, "job", None)
    if job is None:
        return _code(arguments, lambda: COMMANDS[arguments.command](arguments))
    return _code(arguments, lambda: jobs.attend(job, lambda: _code(arguments, lambda: measuring.bench(arguments))))


def _code(arguments: argparse.Namespace, work: Callable[[], int | None]) -> int:
    """The exit code of the work; why it could not be done is said in a sentence."""
    try:
        return work() or 0
    except CouldNot as error:
        asking.warn(str(error))
        return error.exit_code
    except Stopped as stop:
        goes_on = arguments.command == "pull" or getattr(arguments, "job", None)
        asking.warn("stopped; run the same command to continue" if goes_on else ENDED.get(arguments.command, LEFT))
        return 128 + stop.number
    except BrokenPipeError:
        # Whoever read our stdout has left; without this Python complains again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _stop(number: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the tidying-up that the first one started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped(number)


if __name__ == "__main__":
    sys.exit(main())
