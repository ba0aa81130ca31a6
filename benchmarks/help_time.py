"""How long a person waits for ``zoo --help``, compared with ``hf version`` of the same environment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks import commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work

PAIRS = 25
PAIRS_MINIMUM = 15


def started(command: Sequence[str]) -> Work:
    """Starts ``command`` and waits for its end."""

    def run() -> dict[str, Any]:
        commands.output(command)
        return {}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The two commands."""
    del arguments, say
    yield Comparison(
        name="help_time",
        question="How long does zoo --help take, compared with hf version?",
        a=Side("zoo --help", started([commands.find("zoo"), "--help"])),
        b=Side("hf version", started([commands.find("hf"), "version"])),
        target=Target("ratio", at_most=0.5),
        packages=("click", "huggingface-hub", "typer"),
        settings={"environment": {"HF_HUB_DISABLE_UPDATE_CHECK": "1"}},
        pairs_minimum=PAIRS_MINIMUM,
        warmups=3,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("help_time", str(__doc__), PAIRS).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
