"""``zoo verify`` of a pulled folder, compared with ``sha256sum -c`` of the same files; both start a new process."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import commands, madeup, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work

PAIRS = 11
LARGE_BYTES, SMALL_FILES = 1_000_000_000, 10


def reading(command: Sequence[str], folder: Path, total_bytes: int) -> Work:
    """Runs ``command``, which reads ``total_bytes`` in ``folder``."""

    def run() -> dict[str, Any]:
        began = time.perf_counter()
        commands.output(command, folder)
        return {"bytes_per_second": total_bytes / (time.perf_counter() - began)}

    return run


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both read the same files from the page cache."""
    del arguments
    say("making a release of 1 GB")
    with madeup.served(LARGE_BYTES, SMALL_FILES) as served:
        target = served.zoo / "pulled"
        name = f"{madeup.NAME}@1.0.0:{madeup.QUANT}"
        commands.output([commands.find("zoo"), "pull", name, "--to", str(target), "--quiet"], served.zoo)
        total = LARGE_BYTES + (SMALL_FILES - 2) * 20_000

        yield Comparison(
            name="verify",
            question="How fast does zoo verify read, compared with sha256sum?",
            a=Side("zoo verify", reading([commands.find("zoo"), "verify", "--quiet"], target, total)),
            b=Side("sha256sum -c", reading(["sha256sum", "-c", "--quiet", "SHA256SUMS"], target, total)),
            target=Target("ratio", at_least=0.9),
            figure="bytes_per_second",
            settings={"bytes": total, "files": SMALL_FILES - 1},
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("verify", str(__doc__), PAIRS).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
