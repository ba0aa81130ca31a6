"""Collecting an importance matrix through llama.cpp's evaluation callback, compared with hooks on the torch model.

Both read the same windows of the English calibration text with SmolLM2-135M, loading included: llama.cpp the F16 file
that is quantized, torch the model folder in float32. They must agree, or they did not do the same work.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ladder, material, pairs
from benchmarks.pairs import Comparison, Say, Side, Target
from zoo.errors import ZooError
from zoo.llama.measure import calibrate
from zoo.llama.measure.windows import Text
from zoo.llama.model import Model

PAIRS = 5
WINDOW_TOKENS = 512
AGREE_WITHIN = 0.02
"""Largest median difference allowed, as a share of a matrix's mean: llama.cpp rounds inputs to f16, torch does not."""


class Sides:
    """Both ways, and what they found last."""

    def __init__(self, model: Path, folder: Path, threads: int) -> None:
        self.model, self.folder, self.threads = model, folder, threads
        path = material.ROOT / ladder.TEXTS / "calibration.en.txt"
        self.text = Text(path.name, "en", path.read_text(encoding="utf-8"))
        self.found: dict[str, dict[str, Any]] = {}

    def llama(self) -> dict[str, Any]:
        """Through llama.cpp."""
        made = calibrate.collect(self.model, [self.text], threads=self.threads, window_tokens=WINDOW_TOKENS)
        self.found["llama"] = {name: sums[0] for name, sums in made.sums.items()}
        return {"tokens": made.chunk_count * made.chunk_tokens, **self._difference()}

    def torch(self) -> dict[str, Any]:
        """Through torch."""
        import torch

        from zoo.training import importance

        torch.set_num_threads(self.threads)
        with Model.open(self.model, threads=1, context_tokens=WINDOW_TOKENS) as model:
            windows = calibrate.windows(model, [self.text], WINDOW_TOKENS)
        self.found["torch"], _ = importance.collect(self.folder, windows)
        return {"tokens": len(windows) * WINDOW_TOKENS, **self._difference()}

    def _difference(self) -> dict[str, float]:
        if len(self.found) < 2:
            return {}
        one, two = self.found["llama"], self.found["torch"]
        if set(one) != set(two):
            raise ZooError("the two sides collected different matrices")
        shares = np.concatenate([np.abs(one[name] - two[name]) / two[name].mean() for name in two])
        if np.median(shares) > AGREE_WITHIN:
            raise ZooError(f"the two sides differ by {np.median(shares):.3f} of a matrix's mean")
        return {"difference_median": float(np.median(shares)), "difference_largest": float(shares.max())}


@contextmanager
def prepare(arguments: argparse.Namespace, say: Say) -> Iterator[Comparison]:
    """The F16 file and the folder that it was made from."""
    recipe, threads = material.tutor(), material.threads_or_cores(arguments.threads)
    folder = material.imported(material.teacher_file(recipe), recipe.teacher.sha256, None, say)
    sides = Sides(ladder.f16_file(say), folder, threads)
    yield Comparison(
        name="calibration",
        question="Which way of collecting an importance matrix is faster?",
        a=Side("llama.cpp's evaluation callback", sides.llama),
        b=Side("hooks on the torch model", sides.torch),
        target=Target("ratio", at_most=1),
        packages=("llama-cpp-python", "torch", "transformers"),
        settings={"text": sides.text.name, "window_tokens": WINDOW_TOKENS, "threads": threads},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    return pairs.main(
        pairs.parser("calibration", str(__doc__), PAIRS, threads=True).parse_args(argv), prepare
    )


if __name__ == "__main__":
    sys.exit(main())
