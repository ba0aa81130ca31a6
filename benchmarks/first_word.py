"""How long a contributor waits for the first word: a new environment, the base install, ``zoo check`` of the starters.

Compared with the same packages installed alone, which no program can be faster than. Both download nothing that pip
has kept; the first pair, which is not counted, fills pip's cache.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from benchmarks import commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work

PAIRS = 7
ROOT = Path(__file__).resolve().parent.parent
INSTALL = ("-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"))
MOST_SECONDS = 60.0


def required() -> list[str]:
    """What the base install brings, without extras."""
    found = map(Requirement, importlib.metadata.requires("model-zoo-publisher") or ())
    return [str(one) for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def installed(packages: Sequence[str], then: Sequence[str]) -> Work:
    """A new environment with ``packages``, in which a command then runs in the repository; the seconds of each."""

    def run() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
            began = time.perf_counter()
            commands.output([sys.executable, "-m", "venv", folder])
            commands.output([f"{folder}/bin/python", *INSTALL, *packages])
            middle = time.perf_counter()
            if then:
                commands.output([f"{folder}/bin/{then[0]}", *then[1:]], ROOT)
            return {"install_seconds": middle - began, "check_seconds": time.perf_counter() - middle}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The two ways."""
    del arguments, say
    yield Comparison(
        name="first_word",
        question="How long does a contributor wait for the first word, compared with an install of the packages alone?",
        a=Side("base install and zoo check", installed([str(ROOT)], ["zoo", "check"])),
        b=Side("pip install of the same packages", installed(required(), ())),
        target=Target("ratio", at_most=1.2),
        packages=("pip", "hatchling"),
        settings={"most_seconds": MOST_SECONDS},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("first_word", str(__doc__), PAIRS).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
