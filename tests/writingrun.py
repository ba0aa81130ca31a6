"""A process that keeps a journal as a release does, and prints each line once it is written."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from zoo.runs import writer


def main() -> None:
    """Arguments: the work folder, and how many steps the run has."""
    writer.LEAST_SECONDS, writer.BEAT_SECONDS = 0.0, 0.001
    recorder = writer.Recorder("zoo release", ("release", "tiny"))
    recorder.place(Path(sys.argv[1]))
    with recorder.kept():
        while recorder._stream is None:
            time.sleep(0.0005)
        for number in range(int(sys.argv[2])):
            step = f"step-{number}"
            recorder.stamp({"event": "step_begin", "step": step, "key": "0" * 64, "reason": "run: not made yet"})
            print(f"begin {step}", flush=True)
            for done in range(5):
                recorder.stamp({"event": "progress", "what": "working", "done": done, "total": 5, "unit": "rows"})
                print(f"progress {step}", flush=True)
            recorder.stamp({"event": "step_end", "step": step, "key": "0" * 64, "seconds": 0.1})
            print(f"end {step}", flush=True)
    recorder.end(0)


if __name__ == "__main__":
    main()
