"""Where every command begins. It imports nothing heavy, so that a stop in the first second is heard too."""

from __future__ import annotations

import sys

from zoo import STOPPED

_report = sys.excepthook


def _unheard(kind, error, trace):  # type: ignore[no-untyped-def]  # types would need an import before it is in place
    """Ctrl-C before ``main`` listens: while the few modules below are imported."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"zoo: {STOPPED}", file=sys.stderr)
    else:
        _report(kind, error, trace)


sys.excepthook = _unheard

import contextlib  # noqa: E402 - after the hook
from collections.abc import Sequence  # noqa: E402 - after the hook

from zoo import stopping  # noqa: E402 - after the hook


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, see ``zoo.cli.outcome``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with stopping.heard():
            from zoo.cli import outcome

            return outcome.run(arguments)
    except BaseException as error:
        # Before or after the command itself, so there is no output to clean up.
        if not stopping.is_stop(error):
            raise
        with contextlib.suppress(OSError, ValueError, AttributeError):
            print(f"zoo: {STOPPED}", file=sys.stderr)
        return stopping.exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
