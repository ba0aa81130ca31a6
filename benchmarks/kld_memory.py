"""Peak memory of the lock-step evaluation of seven files, in a separate process, compared with the files' sizes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import material, smollm2
from benchmarks.pairs import Say, tell, versions
from pi_runtime import system
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.llama.quantize.quantize import Wanted, quantize

LADDER = ("Q8_0", "Q5_K_M", "Q5_0", "Q4_K_M", "IQ4_NL", "Q4_0")
WINDOW_TOKENS, WINDOWS = 512, 4
ALLOWED_BYTES = 600_000_000

_CHILD = """
import json, resource, sys
from pathlib import Path
from benchmarks import smollm2
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.windows import Windows
model, threads, window, windows, *files = sys.argv[1:]
found = evaluate(Path(model), {Path(f).stem: Path(f) for f in files}, smollm2.texts("evaluation"),
                 Windows(window_tokens=int(window), windows=int(windows)), threads=int(threads))
print(json.dumps({"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                  "kld_mean_nats": {k: v["kld_mean_nats"] for k, v in found["candidates"].items()}}))
"""


def measure(threads: int, say: Say) -> dict[str, Any]:
    """The whole document."""
    model = smollm2.f16_file(say)
    with tempfile.TemporaryDirectory(prefix="memory-", dir=material.CACHE) as folder:
        files = [model]
        for name in LADDER:
            files.append(Path(folder) / f"{name}.gguf")
            say(f"quantizing to {name}")
            quantize(model, files[-1], Wanted(name, allow_fallback=True), threads=threads)
        say("evaluating in a separate process")
        command = [sys.executable, "-c", _CHILD, str(model), *map(str, (threads, WINDOW_TOKENS, WINDOWS))]
        done = subprocess.run([*command, *map(str, files[1:])], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ZooError(f"the evaluation failed: {done.stderr.strip()[-300:]}")
        sizes = {path.stem if path != model else "F16": path.stat().st_size for path in files}
    found = json.loads(done.stdout)
    beside = found["peak_bytes"] - sum(sizes.values())
    return {
        "schema": "benchmark-memory/1",
        "name": "kld_memory",
        "size_bytes": sizes,
        "files_bytes": sum(sizes.values()),
        **found,
        "beside_files_bytes": beside,
        "target": {"value": beside, "at_most": ALLOWED_BYTES, "reached": beside <= ALLOWED_BYTES},
        "method": "ru_maxrss of the evaluating process; mapped files count in it as far as they were touched",
        "settings": {"window_tokens": WINDOW_TOKENS, "windows": WINDOWS, "threads": threads},
        "versions": versions(("llama-cpp-python", "numpy")),
        "machine": system.device(None),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kld_memory", description=__doc__)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None, metavar="FILE")
    arguments = parser.parse_args(argv)
    try:
        document = measure(material.threads_or_cores(arguments.threads), tell)
    except ZooError as error:
        tell(f"error: {error}")
        return 1
    print(pretty_json(document), end="")
    if arguments.out:
        write_atomic(arguments.out, pretty_json(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
