"""What the journal of a run costs, and how late another process sees what it says.

Overhead: a fixed amount of work, with a journal and without one in turns (A B B A), in processor time. The journal gets
more events than a release writes: five of progress and one that waits for the disk in every second of work. Lag: a
process writes events, and this one follows them.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import pairs
from zoo.runs import reader, writer
from zoo.runs.writer import Recorder

SCHEMA = "watching/1"
TARGETS = {"overhead": 0.01, "lag_p95_seconds": 1.5}
SLICES = 50
"""Of work; an event comes after each."""
SLICE_BYTES = 64 << 20
EVENTS = 100
EVERY_SECONDS = 0.05
CHILD = "--write"


def work(recorder: Recorder | None) -> float:
    """Processor seconds of the work, all threads together. recorder: keeps a journal meanwhile."""
    block = bytes(SLICE_BYTES)
    began = time.process_time()
    for number in range(SLICES):
        hashlib.sha256(block).digest()
        if recorder:
            recorder.stamp({"event": "progress", "what": "work", "done": number, "total": SLICES, "unit": "slices"})
            if number % 5 == 0:
                recorder.stamp({"event": "step_begin", "step": f"step-{number}", "reason": "run", "key": "0" * 64})
    return time.process_time() - began


def journaled(folder: Path) -> float:
    """The same with a journal, from its first line to its last."""
    writer.LEAST_SECONDS = 0.0
    recorder = Recorder("zoo release", ("release", "made-up"))
    recorder.place(folder)
    with recorder.kept():
        took = work(recorder)
    recorder.end(0)
    return took


def overhead(rounds: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds without and with a journal."""
    without, with_ = list[float](), list[float]()
    for _ in range(rounds):
        without.append(work(None))
        with_ += [journaled(folder), journaled(folder)]
        without.append(work(None))
    return without, with_


def write(folder: Path) -> None:
    """In a process of its own: a run with an event every EVERY_SECONDS."""
    writer.LEAST_SECONDS, writer.BEAT_SECONDS = 0.0, 0.01
    recorder = Recorder("zoo release", ("release", "made-up"))
    recorder.place(folder)
    with recorder.kept():
        for number in range(EVENTS):
            time.sleep(EVERY_SECONDS)
            recorder.stamp({"event": "say", "text": f"event {number}"})
    recorder.end(0)


def lags(folder: Path) -> list[float]:
    """Seconds from an event to its line here."""
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.watching", CHILD, str(folder)])
    while not (found := reader.look(folder)):
        time.sleep(0.01)
    seen = list[float]()
    for event in reader.follow(found[0].path):
        if event["event"] == "say":
            seen.append((datetime.now(UTC) - datetime.fromisoformat(str(event["at"]))).total_seconds())
    child.wait()
    return seen


def document(rounds: int) -> dict[str, object]:
    """Everything as data, with whether the targets are kept."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        without, with_ = overhead(rounds, Path(one))
        late = lags(Path(other))
    share = statistics.median(with_) / statistics.median(without) - 1
    # The first ones were written before this process looked.
    p95 = statistics.quantiles(late[EVENTS // 10 :], n=20)[-1]
    return {
        "schema": SCHEMA, "targets": TARGETS,
        "kept": share <= TARGETS["overhead"] and p95 <= TARGETS["lag_p95_seconds"],
        "overhead": share, "lag_p95_seconds": p95, "lag_median_seconds": statistics.median(late),
        "samples": {"seconds_without": without, "seconds_with": with_, "lag_seconds": late},
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of four measurements each, %(default)s")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result there")
    parser.add_argument(CHILD, type=Path, dest="write", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.write:
        write(arguments.write)
        return 0
    return pairs.kept(document(arguments.rounds), arguments.out)


if __name__ == "__main__":
    sys.exit(main())
