"""How long a person waits for ``zoo --help``, compared with ``hf version`` of the same environment.

With ``--before FOLDER``, compared with the same command of another checkout: a change must not make it slower.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work

PAIRS = 25
PAIRS_MINIMUM = 15


ROOT = Path(__file__).resolve().parent.parent


def started(command: Sequence[str], **variables: str) -> Work:
    """Starts ``command`` and waits for its end."""

    def run() -> dict[str, Any]:
        commands.output(command, environment={**commands.ENVIRONMENT, **variables})
        return {}

    return run


def of_checkout(folder: Path) -> Work:
    """``zoo --help`` of the files in ``folder``, by this Python and its packages."""
    # -P and PYTHONPATH: from there, and not from where the package is installed or from the current folder.
    return started([sys.executable, "-P", "-m", "zoo", "--help"], PYTHONPATH=str(folder.resolve()))


def commit(folder: Path) -> str:
    """The commit of a checkout, as its name in the document."""
    return commands.output(["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]).strip()


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The two commands."""
    del say
    if arguments.before:
        yield Comparison(
            name="help_time_before",
            question="How long does zoo --help take, compared with the same command of an earlier checkout?",
            a=Side("zoo --help", of_checkout(ROOT)),
            b=Side(f"zoo --help of {commit(arguments.before)}", of_checkout(arguments.before)),
            target=Target("ratio", at_most=1.02),
            packages=("click",),
            pairs_minimum=PAIRS_MINIMUM,
            warmups=3,
        )
        return
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
    parser = pairs.parser("help_time", str(__doc__), PAIRS)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="a checkout of an earlier commit to compare with")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
