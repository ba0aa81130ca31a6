"""How long ``zoo corpus describe`` takes for a million made-up prompts, and the memory of the command for two sizes.

Targets: 20 seconds of processor time for a million records, and memory that grows by at most a tenth from a fifth of
them to all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import commands, pairs
from benchmarks.corpus_check import generate

SCHEMA = "coverage/1"
TARGETS = {"cpu_seconds_per_million": 20.0, "memory_ratio": 1.1}
CODE = (
    "import json, resource, subprocess, sys\n"
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
)


def measured(path: Path) -> tuple[float, int]:
    """Processor seconds and bytes of memory of the command, in a process of its own."""
    command = [sys.executable, "-c", CODE, commands.find("zoo"), "corpus", "describe", str(path)]
    seconds, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    # Linux counts KiB, macOS bytes.
    return float(seconds), int(memory) * (1 if sys.platform == "darwin" else 1024)


def document(size: int) -> dict[str, object]:
    """Everything as data, with whether the targets are kept."""
    found = []
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        for part in (size // 5, size):
            path = Path(folder) / f"{part}.jsonl"
            generate(path, part)
            with path.open("rb") as stream:
                records = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
            seconds, memory = measured(path)
            found.append({"bytes": part, "records": records, "cpu_seconds": seconds, "memory_bytes": memory})
    small, large = found
    per_million = float(large["cpu_seconds"]) / int(large["records"]) * 1e6
    ratio = float(large["memory_bytes"]) / float(small["memory_bytes"])
    kept = per_million <= TARGETS["cpu_seconds_per_million"] and ratio <= TARGETS["memory_ratio"]
    return {
        "schema": SCHEMA, "targets": TARGETS, "kept": kept, "cpu_seconds_per_million": per_million,
        "memory_ratio": ratio, "runs": found,
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--bytes", type=int, default=210_000_000, help="of prompts (210 MB: a million records)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result there")
    arguments = parser.parse_args(argv)
    return pairs.kept(document(arguments.bytes), arguments.out)


if __name__ == "__main__":
    sys.exit(main())
