"""An open model whose weights can be replaced while it is open, so that thousands of trials need no loading.

llama.cpp maps a model file shared, so the model immediately computes with what is written into the file. That file is a
private copy. A replaced tensor is stored in the copy's own type (F16 in most cases): the trial shows what quantization
does to the weights, but not the rounding of activations that llama.cpp's kernels for quantized weights add, which the
measurement of the finished file shows.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.llama.measure.lockstep import BATCH_TOKENS, compare_window, not_finite
from zoo.llama.measure.logits import window_logits
from zoo.llama.measure.windows import Window
from zoo.llama.model import Model
from zoo.llama.quantize.rows import Floats, dequantize_rows, quantize_rows
from zoo.llama.search.tensors import Tensors


@dataclass
class Swapping:
    """The open copy. ``inside`` maps a tensor to the type that it was quantized to; others are the original."""

    tensors: Tensors
    model: Model
    handle: int
    inside: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, tensors: Tensors, copy: Path, window_tokens: int) -> Iterator[Swapping]:
        """Copy the file to ``copy`` and open it with one thread; the copy is deleted at the end.

        Raises OSError if the disk is full, and what ``Model.open`` raises.
        """
        try:
            shutil.copyfile(tensors.path, copy)
            handle = os.open(copy, os.O_WRONLY)
            try:
                with Model.open(
                    copy, threads=1, context_tokens=window_tokens, batch_tokens=BATCH_TOKENS
                ) as model:
                    yield cls(tensors, model, handle)
            finally:
                os.close(handle)
        finally:
            copy.unlink(missing_ok=True)

    def put(self, name: str, type_name: str, quantized: bytes) -> None:
        """Make the model compute with the tensor as quantized to ``type_name``."""
        if self.inside.get(name) == type_name:
            return
        matrix = self.tensors.matrices[name]
        self._write(name, dequantize_rows(quantized, type_name, matrix.row_length))
        self.inside[name] = type_name

    def restore(self, name: str) -> None:
        """Restore the original."""
        if name in self.inside:
            self._write(name, self.tensors.read(name))
            del self.inside[name]

    def _write(self, name: str, rows: Floats) -> None:
        matrix = self.tensors.matrices[name]
        data, at = memoryview(quantize_rows(rows, matrix.type_name)), matrix.place
        while data:
            written = os.pwrite(self.handle, data, at)
            data, at = data[written:], at + written

    def logits(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Logits at the scored positions of every window. Raises ModelFileError if they are not finite."""
        found = [window_logits(self.model, w.tokens[:-1], first=w.first) for w in windows]
        if not all(np.isfinite(logits).all() for logits in found):
            raise not_finite(self.model)
        return found

    def kld_nats(self, windows: Sequence[Window], expected: Sequence[NDArray[np.float32]]) -> list[float]:
        """Mean KLD of every window from the expected logits."""
        return [
            float(compare_window(self.model, window, logits).kld_nats.mean())
            for window, logits in zip(windows, expected, strict=True)
        ]
