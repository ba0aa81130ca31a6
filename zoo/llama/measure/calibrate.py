"""Collecting an importance matrix: text goes through the model, and the inputs of every weight matrix are squared and
summed.

llama.cpp calls back while it computes (``cb_eval``). What is collected, and from which windows, is as in
llama.cpp's imatrix tool: the matrices of the layers, windows that do not overlap, without the rest of a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.words import counted
from zoo.errors import InputError, ModelFileError, ZooError
from zoo.gguf.imatrix import Imatrix
from zoo.llama import library
from zoo.llama.library import Observer
from zoo.llama.measure.graphtensor import GraphTensor, at, name_of, numbers, operation, values
from zoo.llama.measure.windows import Text
from zoo.llama.model import Model
from zoo.progress import Reporter, Silent

WINDOW_TOKENS = 512
"""Default of llama.cpp's imatrix tool."""
_BATCH_TOKENS = 256

Sums = NDArray[np.float64]


def collect(
    path: Path,
    texts: Sequence[Text],
    *,
    threads: int,
    window_tokens: int = WINDOW_TOKENS,
    report: Reporter | None = None,
) -> Imatrix:
    """The importance matrix of the GGUF file ``path`` over ``texts``; sums are in float64, stored as float32.

    Raises InputError for a text shorter than one window, ModelFileError for an invalid file or one that computes NaN or
    infinity, ZooError if the model has no matrix to collect from.
    """
    report = report or Silent()
    watch = _Watch(operation("MUL_MAT"), operation("MUL_MAT_ID"))
    observer = Observer(library.require().ggml_backend_sched_eval_callback(watch.see))
    batch = min(window_tokens, _BATCH_TOKENS)
    with Model.open(
        path, threads=threads, context_tokens=window_tokens, batch_tokens=batch, observer=observer
    ) as model:
        taken = windows(model, texts, window_tokens)
        with report.task("Calibrating", float(len(taken) * window_tokens), "tokens") as advance:
            for tokens in taken:
                model.clear()
                for start in range(0, len(tokens), batch):
                    # Every output is requested: llama.cpp skips what no output needs, also in the last layer.
                    part = tokens[start : start + batch]
                    watch.begin()
                    model.decode([(token, start + i, 0, True) for i, token in enumerate(part)])
                    watch.end(path)
                    advance(len(part))
    if not watch.sums:
        raise ZooError(f"{path.name} uses no layer matrices, so nothing can be collected")
    return Imatrix(
        {name: found.astype(np.float32) for name, found in sorted(watch.sums.items())},
        {name: found.astype(np.float32) for name, found in sorted(watch.counts.items())},
        tuple(text.name for text in texts),
        len(taken),
        window_tokens,
    )


def windows(model: Model, texts: Sequence[Text], window_tokens: int) -> list[list[int]]:
    """Token ids of every complete window of every text. Raises InputError for a text shorter than one window."""
    if window_tokens < 1 or not texts:
        raise InputError("calibration requires a text and windows of at least one token")
    taken = []
    for text in texts:
        tokens = model.tokenize(text.content, add_special=True, parse_special=False)
        if len(tokens) < window_tokens:
            raise InputError(
                f"the calibration text {text.name} has {counted(len(tokens), 'token')}, less than one window of "
                f"{window_tokens}",
                remedy="Use a longer text or set quantize.imatrix_window_tokens lower",
            )
        for start in range(0, len(tokens) - window_tokens + 1, window_tokens):
            window = tokens[start : start + window_tokens]
            if model.adds_bos:
                window[0] = model.bos
            taken.append(window)
    return taken


@dataclass
class _Watch:
    """The collected sums. sums: matrix -> float64 (matrices, row_length); counts: matrix -> int64 (matrices,)."""

    multiply: int
    multiply_chosen: int
    sums: dict[str, Sums] = field(default_factory=dict)
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    error: BaseException | None = None
    last: str = ""
    stop_at: str = ""
    squared: dict[int, tuple[Sums, int]] = field(default_factory=dict)
    """Address of an input -> its squares and rows: query, key and value read the same one."""

    def begin(self) -> None:
        """Before a decode. From the second one on, nothing is computed after the last matrix: no output head."""
        self.squared.clear()
        self.stop_at = self.last

    def end(self, path: Path) -> None:
        """After a decode. Raises errors from inside the callback."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if not all(np.isfinite(found).all() for found in self.sums.values()):
            raise ModelFileError(
                f"{path.name} computes values that are NaN or infinite",
                where=str(path),
                remedy="Its weights are damaged or overflow: build it again",
            )

    def see(self, address: int, ask: bool, user_data: object) -> bool:
        """Called twice for every node: whether it is needed, and then, once it is computed, to read it."""
        del user_data
        try:
            return self._want(at(address)) if ask else self._look(at(address))
        except BaseException as error:  # noqa: BLE001  # an exception cannot pass through C
            self.error = self.error or error
            return False

    def _want(self, node: GraphTensor) -> bool:
        if node.op not in (self.multiply, self.multiply_chosen):
            return False
        name = name_of(at(node.src[0]))
        if not name.startswith("blk."):
            return False
        if node.op == self.multiply_chosen or node.src[1] not in self.squared:
            return True
        self._keep(name, *self.squared[node.src[1]])
        return False

    def _look(self, node: GraphTensor) -> bool:
        weights, inputs = at(node.src[0]), at(node.src[1])
        name = name_of(weights)
        if node.op == self.multiply_chosen:
            self._add_chosen(name, weights, values(inputs), numbers(at(node.src[2]))[0, 0])
        elif weights.ne[2] * weights.ne[3] == 1:
            rows = values(inputs)
            squared = _squares(rows.reshape(-1, rows.shape[3])), rows.size // rows.shape[3]
            self.squared[node.src[1]] = squared
            self._keep(name, *squared)
        else:
            self._add_stack(name, weights, values(inputs))
        self.last = name
        return name != self.stop_at

    def _room(self, name: str, matrices: int, length: int) -> Sums:
        if name not in self.sums:
            self.sums[name] = np.zeros((matrices, length))
            self.counts[name] = np.zeros(matrices, dtype=np.int64)
        return self.sums[name]

    def _keep(self, name: str, squared: Sums, rows: int) -> None:
        self._room(name, 1, len(squared))[0] += squared
        self.counts[name][0] += rows

    def _add_stack(self, name: str, weights: GraphTensor, inputs: NDArray[np.float32]) -> None:
        """A product with a stack of matrices. inputs: (ne3, ne2, tokens, row_length)."""
        stack, pile = weights.ne[2], weights.ne[3]
        sums = self._room(name, stack * pile, inputs.shape[3])
        for i3 in range(inputs.shape[0]):
            for i2 in range(inputs.shape[1]):
                matrix = (i3 % pile) * stack + i2 % stack
                sums[matrix] += _squares(inputs[i3, i2])
                self.counts[name][matrix] += inputs.shape[2]

    def _add_chosen(
        self, name: str, weights: GraphTensor, inputs: NDArray[np.float32], chosen: NDArray[np.int32]
    ) -> None:
        """A product with selected experts. inputs: (1, tokens, experts used or 1, row_length); chosen: (tokens,
        used)."""
        rows = inputs[0]
        sums = self._room(name, weights.ne[2], rows.shape[2])
        for slot in range(chosen.shape[1]):
            read = rows[:, slot % rows.shape[1]]
            for expert in np.unique(chosen[:, slot]):
                own = read[chosen[:, slot] == expert]
                sums[expert] += _squares(own)
                self.counts[name][expert] += len(own)


def _squares(rows: NDArray[np.float32]) -> Sums:
    squared: Sums = np.sum(np.square(rows), axis=0, dtype=np.float64)
    return squared
