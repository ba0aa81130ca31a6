"""A process whose journal is that of a release in the middle of its second step, until it is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import viewsamples

from zoo.runs import writer

TESTS = Path(__file__).parent


@contextlib.contextmanager
def begun(zoo: Path) -> Iterator[subprocess.Popen[str]]:
    """Within the block the process lives, unless it is killed; its journal is there."""
    path = os.pathsep.join((str(TESTS.parent), str(TESTS), os.environ["PYTHONPATH"]))
    with subprocess.Popen(
        [sys.executable, "-m", "livingrun", str(zoo / "build/work")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        try:
            assert process.stdout and process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def main() -> None:
    """Argument: the work folder."""
    writer.LEAST_SECONDS, writer.BEAT_SECONDS = 0.0, 0.05
    recorder = writer.Recorder("zoo release", ("release", "my-model"))
    recorder.place(Path(sys.argv[1]))
    with recorder.kept():
        for event in viewsamples.a_release(over=False)[1:]:
            recorder.stamp({key: fact for key, fact in event.items() if key not in ("at", "run")})
        while recorder._stream is None:
            time.sleep(0.0005)
        print("begun", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
