"""One JSON document with a row for each question that only a GPU answers. See run.sh in this folder.

Weights and conversations are random, in real shapes, so nothing is fetched. A row that could not be measured says why.
The document is written again after every row, so that a time limit loses only the rest.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gpu import measured
from benchmarks.gpu.shapes import REAL, TINY, Shapes
from zoo.files.whole import write_atomic
from zoo.training import require

LIMIT_SECONDS = 450.0
"""No row begins later."""


@dataclass(frozen=True)
class Row:
    """A question, and the function that answers it."""

    question: str
    measure: Callable[[Shapes, str, Path], Mapping[str, Any]]


ROWS: Mapping[str, Row] = {
    "G3_gradient": Row("error of the 16-bit gradient near the teacher, as a share of float64's", measured.gradient),
    "S5_head": Row("whether the check of the output head accepts a sound 16-bit model", measured.head),
    "S10_resume": Row("whether a fused AdamW resumes on the device with the weights of an uninterrupted run",
                      measured.resume),
    "G2_loss": Row("milliseconds and peak bytes of head and loss: chunk by chunk, all together, and Liger's",
                   measured.loss),
    "G9_teacher": Row("tokens per second of a teacher that answers one row and 32 rows at a time", measured.teacher),
    "G13_presets": Row("seconds per step and peak bytes of every adapter and preset", measured.presets),
    "G14_autocast": Row("seconds of an adapter's step with products in 16 bits, and without", measured.autocast),
    "G5_step": Row("tokens per second of a step with the teacher's answers at hand, and with the teacher in the step",
                   measured.step),
}  # fmt: skip
"""In the order in which they run: what is certain and quick first."""


def document(shapes: Shapes, device: str | None, out: Path) -> dict[str, Any]:
    """Measure every row, and write the document after each. device: None without a GPU, then every row is empty."""
    import torch

    began = time.monotonic()
    made: dict[str, Any] = {
        "format": "zoo-gpu-rows/1",
        "device": None if device is None else torch.cuda.get_device_name() if device == "cuda" else device,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "shapes": vars(shapes) | {"student": vars(shapes.student), "teacher": vars(shapes.teacher)},
        "rows": {name: {"question": row.question, "value": None, "why": "not run"} for name, row in ROWS.items()},
    }
    with tempfile.TemporaryDirectory(prefix="zoo-gpu-") as folder:
        for name, row in ROWS.items():
            entry = made["rows"][name]
            if device is None:
                entry["why"] = "no GPU on this machine"
            elif time.monotonic() - began > LIMIT_SECONDS:
                entry["why"] = f"no time was left after {LIMIT_SECONDS:g} seconds"
            else:
                print(f"{name}: {row.question}", file=sys.stderr, flush=True)
                entry |= _answer(row, shapes, device, Path(folder))
            write_atomic(out, json.dumps(made, indent=2) + "\n")
    return made


def _answer(row: Row, shapes: Shapes, device: str, folder: Path) -> dict[str, Any]:
    started = time.monotonic()
    try:
        value = dict(row.measure(shapes, device, folder))
    except Exception as error:  # noqa: BLE001 - whatever one row meets, the others are measured
        return {"why": f"{type(error).__name__}: {error}"[:500], "seconds": round(time.monotonic() - started, 1)}
    return {"value": value, "why": "", "seconds": round(time.monotonic() - started, 1)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 1 if a row failed on a machine that could have measured it."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu.rows", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu.json"))
    parser.add_argument("--tiny", action="store_true", help="tiny shapes on a processor: shows only that the rows run")
    asked = parser.parse_args(argv)
    require()
    import torch

    device = "cpu" if asked.tiny else "cuda" if torch.cuda.is_available() else None
    made = document(TINY if asked.tiny else REAL, device, asked.out)
    for name, entry in made["rows"].items():
        print(f"{name}: {json.dumps(entry['value']) if entry['value'] is not None else entry['why']}")
    return 1 if device and any(entry["value"] is None for entry in made["rows"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
