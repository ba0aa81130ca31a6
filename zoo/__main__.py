"""Where every command begins. It imports nothing heavy, so that a stop in the first second is heard too."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from zoo import stopping


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, see ``zoo.cli.outcome``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with stopping.heard():
            from zoo.cli import outcome

            return outcome.run(arguments)
    except KeyboardInterrupt as error:
        # Before or after the command itself, so there is no output to clean up.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            print(f"zoo: {stopping.WORDS}", file=sys.stderr)
        return stopping.exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
