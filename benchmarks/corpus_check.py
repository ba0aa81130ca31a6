"""``zoo corpus check`` of generated prompts, compared with the least that a checker must do.

The floor reads every line with ``msgspec`` and asks ``jsonschema-rs`` whether it follows the schema: it finds no line,
no reason, no repeated record and no key that is written twice. ``settings`` also has a loop with Python's
``jsonschema``, and the memory of the command for two sizes of the file. ``--bad`` asks instead how fast a file is read
in which every line has a fault.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import msgspec

from benchmarks import commands, pairs
from benchmarks.pairs import Comparison, Say, Side, Target, Work
from catalog import schema
from zoo.corpora import check, prompts

PAIRS = 9
ROOT = Path(__file__).resolve().parent.parent
CORPORA = ("starter/prompts.train", "starter/prompts.heldout", "tutor/prompts.train", "tutor/prompts.heldout")
SLOW_RECORDS = 2000


def generate(path: Path, least_bytes: int) -> int:
    """Prompts of the project, each with a number that makes it another one; the size of the file in bytes."""
    files = [ROOT / f"recipes/corpora/{name}.jsonl" for name in CORPORA]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    written = 0
    with path.open("wb") as stream:
        for number in itertools.count():
            row = rows[number % len(rows)]
            line = json.dumps({**row, "user": f"{row['user']} ({number})"}, ensure_ascii=False).encode() + b"\n"
            written += stream.write(line)
            if written >= least_bytes:
                return written
    raise AssertionError("count() has no end")


FAULTS: tuple[Callable[[bytes], bytes], ...] = (
    lambda line: line[:-2],
    lambda line: line.replace(b'"user"', b'"usr"', 1),
    lambda line: line.replace(b'"user": ', b'"user": 1, "u": ', 1),
    lambda line: line.replace(b"{", b'{"user": 1, ', 1),
)
"""A line that is cut, without its first key, with a number for a text and an unknown key, with a key twice."""


def spoil(path: Path, bad: Path) -> None:
    """The same lines, each with a fault."""
    with path.open("rb") as stream, bad.open("wb") as out:
        for number, line in enumerate(stream):
            out.write(FAULTS[number % len(FAULTS)](line.rstrip()) + b"\n")


def timed(work: Callable[[], object], size: int) -> Work:
    """A side that reads ``size`` bytes. Processor time: other programs disturb it less than wall time."""

    def run() -> dict[str, Any]:
        began = time.process_time()
        work()
        return {"bytes_per_cpu_second": size / (time.process_time() - began)}

    return run


def ours(path: Path) -> None:
    """The check of the command, in this process."""
    found = check.check([check.File(path, path.name)])
    assert not found.problems and not found.repeated


def bad_lines(path: Path) -> None:
    """The same for a file in which every line has a fault."""
    found = check.check([check.File(path, path.name)])
    assert found.is_cut and not found.records


def floor(path: Path) -> None:
    """Read and validate every line, and nothing else."""
    decode = msgspec.json.Decoder().decode
    is_valid = jsonschema_rs.validator_for(dict(schema.load(prompts.KIND.schema))).is_valid
    with path.open("rb") as stream:
        for line in stream:
            assert is_valid(decode(line))


def slow_bytes_per_second(path: Path) -> float:
    """A loop with Python's validator over the first SLOW_RECORDS lines."""
    validator = jsonschema.Draft202012Validator(schema.load(prompts.KIND.schema))
    with path.open("rb") as stream:
        lines = list(itertools.islice(stream, SLOW_RECORDS))
    began = time.process_time()
    for line in lines:
        assert validator.is_valid(json.loads(line))
    return sum(map(len, lines)) / (time.process_time() - began)


def memory_bytes(path: Path) -> int:
    """The most memory of the command, in a process of its own."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, commands.find("zoo"), "corpus", "check", str(path)]
    found = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # Linux counts KiB, macOS bytes.
    return found if sys.platform == "darwin" else found * 1024


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """Both read the same file from the page cache."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        path, small = Path(folder) / "prompts.jsonl", Path(folder) / "small.jsonl"
        say(f"generating {arguments.bytes} bytes of prompts")
        if arguments.bad:
            generate(path, arguments.bytes)
            spoil(path, small)
            yield Comparison(
                name="corpus_check_bad",
                question="How fast does zoo corpus check read a file in which every line has a fault?",
                a=Side("every line has a fault", timed(lambda: bad_lines(small), small.stat().st_size)),
                b=Side("no line has a fault", timed(lambda: ours(path), path.stat().st_size)),
                target=Target("a", at_least=10_000_000),
                figure="bytes_per_cpu_second",
                packages=("msgspec", "jsonschema-rs", "jsonschema"),
                settings={"bytes": small.stat().st_size, "faults": len(FAULTS)},
            )
            return
        size, small_size = generate(path, arguments.bytes), generate(small, arguments.bytes // 5)
        say("measuring memory and the slow loop")
        settings = {
            "bytes": size,
            "memory_bytes": {str(small_size): memory_bytes(small), str(size): memory_bytes(path)},
            "jsonschema_bytes_per_cpu_second": slow_bytes_per_second(path),
        }
        yield Comparison(
            name="corpus_check",
            question="How fast does zoo corpus check read, compared with a loop that only decodes and validates?",
            a=Side("zoo corpus check", timed(lambda: ours(path), size)),
            b=Side("msgspec and jsonschema-rs", timed(lambda: floor(path), size)),
            target=Target("ratio", at_least=0.4),
            figure="bytes_per_cpu_second",
            packages=("msgspec", "jsonschema-rs", "jsonschema"),
            settings=settings,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = pairs.parser("corpus_check", str(__doc__), PAIRS)
    parser.add_argument("--bytes", type=int, default=1_000_000_000, help="size of the file (default: 1 GB)")
    parser.add_argument("--bad", action="store_true", help="a file in which every line has a fault")
    return pairs.main(parser.parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
