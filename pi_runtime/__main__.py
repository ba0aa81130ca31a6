"""``python3 -m pi_runtime bench FILE.gguf``: arguments in, answer on stdout, messages on stderr.

Exit codes: 0 measured (valid or not: the report says), 1 could not, 2 invalid arguments,
130 stopped by Ctrl-C, 143 stopped by SIGTERM. Stopped or failed, no file is left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from pi_runtime import VERSION, bench, report, supervise
from pi_runtime.settings import CouldNot, InvalidArguments, Settings
from pi_runtime.shape import Shared


class Stopped(BaseException):
    """A signal asked the program to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def parser() -> argparse.ArgumentParser:
    """The command line; argparse refuses unknown arguments with exit code 2."""
    top = argparse.ArgumentParser(
        prog="python3 -m pi_runtime", description="Measure a GGUF file on this machine."
    )
    top.add_argument("--version", action="version", version=f"pi_runtime {VERSION}")
    command = top.add_subparsers(dest="command", required=True).add_parser(
        "bench",
        help="load time, prompt and decode speed, time to first token, peak memory",
        description="Measure load time, prompt and decode speed, time to first token, peak memory.",
    )
    command.add_argument("file", type=Path, metavar="FILE.gguf")
    defaults = Settings()
    for option, value, words in (
        ("--prompt-tokens", defaults.prompt_tokens, "length of the prompt, %(default)s"),
        ("--decode-tokens", defaults.decode_tokens, "tokens decoded after the first one, %(default)s"),
        ("--samples", defaults.samples, "counted runs, %(default)s; fewer than 5 are never valid"),
        ("--threads", None, "threads; default: one for each fast core"),
        ("--context", None, "context length in tokens; default: just large enough"),
    ):
        command.add_argument(option, type=int, default=value, metavar="N", help=words)
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for the report as JSON and CSV")
    command.add_argument("--device", metavar="LABEL", help="name of the device, for example pi-5-8gb")
    command.add_argument("--by", metavar="NAME", help="your name or nickname, for a report that you share")
    command.add_argument("--json", action="store_true", help="print the complete report instead of a summary")
    command.add_argument(
        "--log",
        choices=("text", "json"),
        default="text",
        help="progress as text, or one JSON object per line",
    )
    return top


def run(arguments: argparse.Namespace) -> None:
    """Run the cheap checks, measure, write the report, answer."""
    settings = Settings(
        prompt_tokens=arguments.prompt_tokens,
        decode_tokens=arguments.decode_tokens,
        samples=arguments.samples,
        threads=arguments.threads,
        context_tokens=arguments.context,
        device_label=arguments.device,
    )
    settings.check()
    name = arguments.by
    if name is not None and not (name.strip() and len(name) <= 80 and name.isprintable()):
        raise InvalidArguments("--by must have 1 to 80 printable characters, for example 'Ada'.")
    bench.check_file(arguments.file)
    if arguments.out is not None:
        report.check_folder(arguments.out)
    heard = _event if arguments.log == "json" else lambda line, _: _tell(line)
    result = supervise.measure_in_child(arguments.file, settings, heard)
    if name is not None:
        shared: Shared = {**result, "measured_by": name.strip()}
        result = shared
    if arguments.out is not None:
        for path in report.write(result, arguments.out):
            _tell(f"wrote {path}")
    sys.stdout.write(report.to_json(result) if arguments.json else report.to_summary(result))
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = parser().parse_args(argv)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    try:
        run(arguments)
    except CouldNot as error:
        _tell(str(error))
        return error.exit_code
    except Stopped as stop:
        _tell("stopped; no partial file is left")
        return 128 + stop.number
    except BrokenPipeError:
        # Whoever read our stdout has left; without this Python complains again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the tidying-up that the first one started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped(number)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _event(line: str, runs: int | None) -> None:
    _tell(json.dumps({"event": "progress", "text": line, "runs": runs}))


if __name__ == "__main__":
    sys.exit(main())
