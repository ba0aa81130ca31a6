"""The only exit: an error becomes a sentence, a way out and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 did it, 1 could not, 2 asked wrongly, 3 a gate refused)."""
    import click

    from zoo import cli
    from zoo.errors import ZooError
    from zoo.output import Output

    arguments = list(sys.argv[1:] if argv is None else argv)
    # Errors are told even when options could not be read, so these two are looked for by hand.
    output = Output(json="--json" in arguments, quiet="--quiet" in arguments or "-q" in arguments)
    try:
        code = cli.zoo.main(arguments, prog_name="zoo", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except ZooError as error:
        output.error(str(error))
        if output.json:
            output.answer(
                {"error": error.what, "where": error.where, "safe": error.safe, "remedy": error.remedy}, ""
            )
        return error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "zoo"
        output.error(f"{error.format_message()} See: {command} --help")
        return 2
    except (click.Abort, KeyboardInterrupt):
        output.error("stopped. What is finished is kept; the same command goes on from there.")
        return 130
    except BrokenPipeError:
        # Whoever read our stdout has left; there is nobody to tell.
        sys.stderr.close()
        return 1
    except OSError as error:
        if "ZOO_DEBUG" in os.environ:
            raise
        where = f"{error.filename}: " if error.filename else ""
        output.error(
            f"{where}{error.strerror or error}. Finished work is kept; mend this, then run the same command again."
        )
        return 1
    except Exception as error:
        # The last resort: whatever gets here is our fault, and still deserves a sentence.
        if "ZOO_DEBUG" in os.environ:
            raise
        output.error(
            f"this is a fault of the program: {type(error).__name__}: {error}. Finished work is kept. "
            "Please report it with what this prints: ZOO_DEBUG=1 zoo ..."
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
