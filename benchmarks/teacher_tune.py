"""Tokens per second and memory of training a teacher: alone, with LoRA, as copies (DDP), in shares (FSDP2, ZeRO-3).

    python -m benchmarks.teacher_tune --out benchmarks/results/teacher_tune.json
    python -m benchmarks.teacher_tune --device cuda --processes 8 --width 4096 --layers 32 --vocabulary 152064

Every way trains the same random weights in Llama's shape on the same rows, with the same optimizer and rates, so that
the losses of all but LoRA must agree. The threads of a processor are divided among the processes. ZeRO-3 needs
DeepSpeed, which this project does not install: DS_BUILD_OPS=0 pip install --no-build-isolation deepspeed. Without it,
its row is empty. Memory is that of the most demanding process, above what it has before the model is made; the weights
are made completely in every process, as a training reads them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks import material, pairs
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic

ZERO3 = Path(__file__).with_name("zero3.json")
WARMUPS = 2
"""Steps before anything is timed: the first one makes the optimizer's state."""
AGREED = 1e-4
"""Relative difference of the losses of two ways that train all weights: they differ in the order of their sums only."""


@dataclass(frozen=True)
class Way:
    """How a teacher is trained. together: by several processes; sharded: as FSDP2; deepspeed: as ZeRO-3. packages: what
    is imported for it."""

    words: str
    adapter: str = "none"
    together: bool = False
    sharded: bool = False
    deepspeed: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        return (*["torch.distributed.fsdp"] * self.sharded, *["deepspeed"] * self.deepspeed)


WAYS = {
    "alone": Way("one process, all weights"),
    "lora": Way("one process, LoRA alone", adapter="lora"),
    "ddp": Way("DDP", together=True),
    "fsdp2": Way("FSDP2", together=True, sharded=True),
    "fsdp2_lora": Way("FSDP2 and LoRA", adapter="lora", together=True, sharded=True),
    "zero3": Way("DeepSpeed ZeRO-3", together=True, deepspeed=True),
}


@dataclass(frozen=True)
class Size:
    """The model, and the few conversations that it is trained on."""

    width: int = 512
    layers: int = 8
    vocabulary: int = 8192
    rows: int = 64
    batch_rows: int = 4
    row_tokens: int = 64
    steps: int = 6


def measured(name: str, size: Size, device: str, processes: int, threads: int) -> dict[str, Any]:
    """One run of a way in processes of its own. Raises ZooError if it fails."""
    world = processes if WAYS[name].together else 1
    share = max(1, threads // world)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        worker = ["-m", "benchmarks.teacher_tune_worker", name, json.dumps(asdict(size)), device, str(share), str(out)]
        launch = ["-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={world}"]
        command = [sys.executable, *([*launch, f"--log-dir={folder}"] if world > 1 else []), *worker]
        more = {"OMP_NUM_THREADS": str(share), "GLOO_SOCKET_IFNAME": "lo"}
        # Otherwise the C library keeps what was freed, and every way would seem to need all that it ever had.
        more |= {"MALLOC_MMAP_THRESHOLD_": str(1 << 17), "MALLOC_TRIM_THRESHOLD_": str(1 << 17)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **more})
        if not out.exists():
            raise ZooError(f"{WAYS[name].words} failed: {done.stderr.strip()[-600:]}")
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds."""
    speeds = [run["tokens"] / run["seconds"] for run in runs]
    return {
        "tokens_per_second": statistics.median(speeds),
        "tokens_per_processor_second": statistics.median(run["tokens"] / run["processor_seconds"] for run in runs),
        "peak_bytes_per_process": statistics.median(run["peak_bytes_per_process"] for run in runs),
        "loss_last_nats": runs[0]["losses"][-1],
        "samples_tokens_per_second": speeds,
    }


def farthest(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> float:
    """The largest relative difference of the losses of the ways that train all weights."""
    full = [runs[name][0]["losses"] for name in runs if WAYS[name].adapter == "none"]
    return max((max(step) / min(step) - 1 for step in zip(*full, strict=True)), default=0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and write the report; 0 if the losses agree."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teacher_tune", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="processes that train together")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of all processes; 0: every core")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each way, in turn")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=tuple(WAYS))
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the report as JSON")
    for field in fields(Size):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=int, default=field.default, metavar="N")
    arguments = parser.parse_args(argv)
    size = Size(**{field.name: getattr(arguments, field.name) for field in fields(Size)})
    threads, watch = material.threads_or_cores(arguments.threads), pairs.watch_cpu()
    absent = {"zero3": "deepspeed is not installed"} if importlib.util.find_spec("deepspeed") is None else {}
    ways = [name for name in arguments.ways if name not in absent]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name in ways:
            print(f"round {number + 1} of {arguments.rounds}: {WAYS[name].words}", file=sys.stderr)
            runs[name].append(measured(name, size, arguments.device, arguments.processes, threads))
    apart = farthest(runs)
    report = {
        "schema": "teacher-tune/1",
        "device": arguments.device, "machine": platform.machine(), "threads": threads,
        "processes": arguments.processes, "rounds": arguments.rounds, "size": asdict(size),
        "packages": {name: _version(name) for name in ("torch", "transformers", "peft", "deepspeed")},
        "others_cpu_share": watch.others(),
        "losses_apart": apart,
        "ways": {name: summary(found) for name, found in runs.items()},
        "not_measured": absent,
    }  # fmt: skip
    for name, row in report["ways"].items():
        print(
            f"{WAYS[name].words:26} {row['tokens_per_second']:10.1f} tokens/s "
            f"{row['tokens_per_processor_second']:10.1f} tokens per processor second "
            f"{row['peak_bytes_per_process'] / 1e6:8.0f} MB in each process"
        )
    for name, why in absent.items():
        print(f"{WAYS[name].words:26} not measured: {why}")
    print(f"losses of the ways that train all weights differ by {apart:.1e}; processor of others: {watch.others()}")
    if arguments.out:
        write_atomic(arguments.out, pretty_json(report))
    return 0 if apart <= AGREED else 1


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
