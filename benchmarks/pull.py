"""``zoo pull``, compared with ``hf download`` of the same version from the same server: 60 MB and 10 small files.

``zoo pull`` also compares hub, manifest, sums and catalog and hashes every byte; ``hf download`` does neither. Both are
then killed at four fifths once and run again; the settings have how many bytes each fetched the second time.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import commands, madeup, pairs
from benchmarks.madeup import Served
from benchmarks.pairs import Comparison, Say, Side, Target, Work
from zoo.errors import ZooError

PAIRS = 15
LARGE_BYTES, SMALL_FILES = 60_000_000, 10
KILL_TRIES = 20


def zoo_command(served: Served, target: Path) -> list[str]:
    """``zoo pull`` of the one version into ``target``."""
    name = f"{madeup.NAME}@1.0.0:{madeup.QUANT}"
    return [commands.find("zoo"), "pull", name, "--to", str(target), "--hub", served.address, "--quiet"]


def hf_command(served: Served, target: Path) -> list[str]:
    """``hf download`` of the same commit into ``target``."""
    revision = served.commit[:40]
    return [
        commands.find("hf"),
        "download",
        madeup.REPOSITORY,
        "--revision",
        revision,
        "--local-dir",
        str(target),
    ]


def fetched(make: Any, served: Served, numbers: Iterator[int]) -> Work:
    """Fetches into a new folder, and checks that every file arrived."""

    def run() -> dict[str, Any]:
        target = served.zoo / f"out-{next(numbers)}"
        began = time.perf_counter()
        commands.output(make(served, target), served.zoo, environment(served))
        seconds = time.perf_counter() - began
        came = [path for path in target.iterdir() if path.is_file()]
        if len(came) != SMALL_FILES + 1:
            raise ZooError(f"{len(came)} files came, not {SMALL_FILES + 1}")
        sent = served.sent_bytes()
        shutil.rmtree(target)
        return {"wall_seconds": seconds, "sent_bytes": sent}

    return run


def environment(served: Served) -> dict[str, str]:
    """Environment of both commands: no token, no xet storage, no check for a newer version of hf."""
    home = str(served.zoo / "hf-home")
    more = {"HF_ENDPOINT": served.address, "HF_HUB_DISABLE_XET": "1", "HF_HOME": home, "HF_HUB_OFFLINE": "0"}
    return {name: value for name, value in {**commands.ENVIRONMENT, **more}.items() if name != "HF_TOKEN"}


def fetched_again(make: Any, served: Served, numbers: Iterator[int]) -> dict[str, Any]:
    """Kills the command at four fifths of the large file and runs it again; what the server sent for the second run."""
    for _ in range(KILL_TRIES):
        target = served.zoo / f"out-{next(numbers)}"
        process = subprocess.Popen(
            make(served, target), cwd=served.zoo, env=environment(served), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        there = 0
        while process.poll() is None and there < 0.8 * served.size_bytes:
            there = _growing(target)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if _growing(target) < served.size_bytes and not (target / madeup.FILE).exists():
            at_kill = _growing(target)
            served.sent_bytes()
            commands.output(make(served, target), served.zoo, environment(served))
            again = served.sent_bytes()
            shutil.rmtree(target)
            return {"there_at_the_kill_bytes": at_kill, "fetched_again_bytes": again}
        shutil.rmtree(target)
    raise ZooError("the command always ended before it could be killed")


def _growing(target: Path) -> int:
    """Bytes of the largest unfinished file."""
    found = [*target.glob(".zoo/partial/*.part"), *target.glob(".cache/huggingface/download/**/*.incomplete")]
    sizes = []
    for path in found:
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes, default=0)


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The two commands, and what each fetches again after a kill."""
    del arguments
    with madeup.served(LARGE_BYTES, SMALL_FILES) as served:
        numbers = itertools.count()
        say("killing each run once, at four fifths")
        killed: Mapping[str, Any] = {
            "zoo pull": fetched_again(zoo_command, served, numbers),
            "hf download": fetched_again(hf_command, served, numbers),
        }
        yield Comparison(
            name="pull",
            question="How long does a verified pull take, compared with hf download of the same files?",
            a=Side("zoo pull", fetched(zoo_command, served, numbers)),
            b=Side("hf download", fetched(hf_command, served, numbers)),
            target=Target("ratio", at_most=1.0),
            packages=("huggingface-hub", "httpx2", "httpx", "hf-xet"),
            settings={
                "large_bytes": LARGE_BYTES, "small_files": SMALL_FILES, "killed_at_four_fifths": killed,
                "environment": {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"},
            },
            spread_maximum=0.25,
            warmups=1,
        )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(pairs.parser("pull", str(__doc__), PAIRS).parse_args(argv), prepare)


if __name__ == "__main__":
    sys.exit(main())
