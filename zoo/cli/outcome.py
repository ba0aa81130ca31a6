"""The only exit: an error becomes a sentence, what to do next, and an exit code."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from zoo import STOPPED, cli, extras, stopping
from zoo.errors import AGAIN, InputError, OutOfMemory, RemoteError, ZooError, is_no_memory, remedy_for
from zoo.output import Output


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code (0 did it, 1 could not, 2 invalid input, 3 a gate refused)."""
    _open_streams()
    # Errors are printed even when options cannot be read, so these are searched for by hand.
    pairs = itertools.pairwise([*arguments, ""])
    events = "--log=json" in arguments or ("--log", "json") in pairs
    output = Output("--json" in arguments, "--quiet" in arguments or "-q" in arguments, events)
    try:
        code = cli.zoo.main(list(arguments), prog_name="zoo", standalone_mode=False, obj=tuple(arguments))
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return _stopped(output, error)
    except BrokenPipeError:
        # The reader of our stdout has gone, so nobody can see a message.
        sys.stderr.close()
        return 1
    except Exception as error:
        if stopping.is_stop(error):
            return _stopped(output, error)
        known = _known(error)
        if type(known) is ZooError and "ZOO_DEBUG" in os.environ:
            raise
        output.error(str(known))
        if output.json:
            data: dict[str, object] = {
                "error": known.what,
                "where": known.where,
                "safe": known.safe,
                "remedy": known.advice,
            }
            if isinstance(known, RemoteError):
                data |= {"kind": known.kind, "facts": known.facts}
            # stdout itself may be what failed.
            with contextlib.suppress(OSError):
                output.answer(data, "")
        return known.exit_code


def _stopped(output: Output, error: BaseException) -> int:
    # After SIGHUP the terminal may be gone.
    with contextlib.suppress(OSError, ValueError):
        output.show_cursor()
        output.error(STOPPED)
    return stopping.exit_code(error)


def _open_streams() -> None:
    """A stream that the caller closed discards output; one that is not UTF-8 prints ? for characters it lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for all that follows
        elif isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="replace")


def _known(error: Exception) -> ZooError:
    """Convert any error to one of ours; an unexpected one becomes a plain ZooError with a sentence."""
    if is_no_memory(error):
        return OutOfMemory("this command", detail=str(error))
    if isinstance(error, ZooError):
        return error
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "zoo"
        return InputError(error.format_message(), remedy=f"See: {command} --help")
    if isinstance(error, ImportError) and (explained := extras.explain(error)):
        return explained
    if isinstance(error, OSError):
        what = str(error.strerror or error)
        return ZooError(
            what, where=str(error.filename or ""), safe="Finished work is kept.", remedy=remedy_for(error), again=AGAIN
        )
    return ZooError(
        f"this is a bug in zoo: {type(error).__name__}: {error}",
        safe="Finished work is kept.",
        remedy="Please report it with the output of the same command with ZOO_DEBUG=1 in front",
    )
