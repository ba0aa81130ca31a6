"""An importance matrix from the torch model: the same sums as ``zoo.llama.measure.calibrate``, by hooks on its layers.

A second way to the same figures, which verifies both. Releases use llama.cpp's, because it reads exactly the file that
is quantized and needs no torch; ``benchmarks/README.md`` has the times of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from gguf import MODEL_ARCH_NAMES, TensorNameMap
from numpy.typing import NDArray

from zoo.errors import ModelFileError
from zoo.progress import Reporter, Silent
from zoo.training.models import load_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Sums = NDArray[np.float64]


def collect(
    folder: Path, windows: Sequence[Sequence[int]], *, report: Reporter | None = None
) -> tuple[dict[str, Sums], dict[str, int]]:
    """Sums of squared inputs, float64 (row_length,), and rows summed, by the GGUF name of each layer's matrices.

    windows: token ids, each window read from an empty cache, in float32 on the CPU.
    Raises ModelFileError if the folder is not a model, or has an architecture without GGUF names.
    """
    report = report or Silent()
    model = load_model(folder, torch.float32, "cpu")
    sums: dict[str, Sums] = {}
    counts: dict[str, int] = {}
    with (
        torch.inference_mode(),
        _watching(model, sums, counts),
        report.task("Calibrating", float(sum(map(len, windows))), "tokens") as advance,
    ):
        for window in windows:
            # The body only: the head's inputs are not collected, and its outputs are the larger part of the work.
            model.model(input_ids=torch.tensor([list(window)]), use_cache=False)
            advance(len(window))
    return sums, counts


@contextmanager
def _watching(model: PreTrainedModel, sums: dict[str, Sums], counts: dict[str, int]) -> Iterator[None]:
    names = _names(model)
    handles = []
    for module_name, module in model.named_modules():
        name = names.get_name(f"{module_name}.weight", try_suffixes=(".weight",)) if module_name else None
        if isinstance(module, torch.nn.Linear) and name and name.startswith("blk."):
            handles.append(module.register_forward_pre_hook(_adder(name, sums, counts)))
    if not handles:
        raise ModelFileError(f"{type(model).__name__} has no linear layer that GGUF has a name for")
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _names(model: PreTrainedModel) -> TensorNameMap:
    kind = model.config.model_type
    numbers = {name: number for number, name in MODEL_ARCH_NAMES.items()}
    if kind not in numbers:
        raise ModelFileError(f"GGUF has no names for the layers of {kind!r} models")
    return TensorNameMap(numbers[kind], model.config.num_hidden_layers)


def _adder(
    name: str, sums: dict[str, Sums], counts: dict[str, int]
) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], None]:
    def add(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        del module
        rows = inputs[0].reshape(-1, inputs[0].shape[-1])
        squared = rows.square().sum(dim=0, dtype=torch.float64).numpy()
        sums[name] = sums[name] + squared if name in sums else squared
        counts[name] = counts.get(name, 0) + len(rows)

    return add
