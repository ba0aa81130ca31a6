"""The weight matrices of an F32, F16 or BF16 file: their rows, their bytes as another type, and the error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import ModelFileError
from zoo.gguf.imatrix import Floats, Imatrix
from zoo.gguf.layout import BLOCKS, PLAIN, RawTensor, opened, read_raw
from zoo.llama.quantize import presets
from zoo.llama.quantize.rows import dequantize_rows, needs_importance, quantize_rows, row_bytes

_SLAB_WEIGHTS = 1 << 22


@dataclass(frozen=True)
class Matrix:
    """A tensor that may become another type. ``place`` is its first byte in the file."""

    name: str
    type_name: str
    row_length: int
    rows: int
    matrix_rows: int
    place: int
    size_bytes: int

    @property
    def weights(self) -> int:
        return self.rows * self.row_length

    def bytes_as(self, type_name: str) -> int:
        """Its size as another type."""
        return self.rows * row_bytes(type_name, self.row_length)


@dataclass(frozen=True)
class Tensors:
    """The matrices of ``path`` that llama.cpp would quantize, by name, and the file's other bytes."""

    path: Path
    matrices: dict[str, Matrix]
    other_bytes: int
    alignment: int
    imatrix: Imatrix | None

    @classmethod
    def of(cls, path: Path, imatrix: Imatrix | None) -> Tensors:
        """Raises ModelFileError if the file is invalid or already quantized."""
        chosen = presets.choose(path, "Q8_0", with_imatrix=imatrix is not None).types
        with opened(path) as data:
            raw = read_raw(data)
        found = {t.name: _matrix(t, raw.data_start) for t in raw.tensors if t.name in chosen}
        if wrong := [tensor for tensor in raw.tensors if tensor.type_name not in PLAIN]:
            raise ModelFileError(
                f"{wrong[0].name} of {path.name} is already quantized ({wrong[0].type_name})",
                remedy="Quantize from the F16 file; quantizing twice loses quality twice",
            )
        other = raw.size_bytes - sum(matrix.size_bytes for matrix in found.values())
        return cls(path, found, other, raw.alignment, imatrix)

    def importance(self, name: str) -> Floats | None:
        return self.imatrix.importance(name) if self.imatrix else None

    def types(self, name: str, among: Sequence[str]) -> list[str]:
        """The types that the matrix can have: its rows divide, and there is importance if required."""
        matrix, weighed = self.matrices[name], self.importance(name) is not None
        return [
            t for t in among if not matrix.row_length % BLOCKS[t][0] and (weighed or not needs_importance(t))
        ]

    def read(self, name: str) -> Floats:
        """float32, shape (rows, row_length)."""
        matrix = self.matrices[name]
        with self.path.open("rb") as stream:
            stream.seek(matrix.place)
            return dequantize_rows(stream.read(matrix.size_bytes), matrix.type_name, matrix.row_length)

    def quantized(self, name: str, type_name: str) -> bytes:
        """The bytes of the matrix as ``type_name``, as ``zoo.llama.quantize.mix`` stores them."""
        rows, matrix = self.read(name), self.matrices[name]
        importance, step = self.importance(name), matrix.matrix_rows
        return b"".join(
            quantize_rows(
                rows[at : at + step], type_name, None if importance is None else importance[at // step]
            )
            for at in range(0, matrix.rows, step)
        )

    def error(self, name: str, quantized: bytes, type_name: str) -> float:
        """Squared error of the stored bytes, weighed by column as in the importance matrix, summed in float64."""
        rows, matrix = self.read(name), self.matrices[name]
        importance = self.importance(name)
        row = row_bytes(type_name, matrix.row_length)
        total = 0.0
        for at in range(0, matrix.rows, matrix.matrix_rows):
            weight = None if importance is None else importance[at // matrix.matrix_rows].astype(np.float64)
            total += _error(rows, quantized, type_name, row, weight, range(at, at + matrix.matrix_rows))
        return total


def _error(
    rows: Floats, quantized: bytes, type_name: str, row: int, weight: np.ndarray | None, span: range
) -> float:
    most, total = max(1, _SLAB_WEIGHTS // rows.shape[1]), 0.0
    for first in range(span.start, span.stop, most):
        last = min(first + most, span.stop)
        made = dequantize_rows(quantized[first * row : last * row], type_name, rows.shape[1])
        made -= rows[first:last]
        columns = np.einsum("ij,ij->j", made, made, dtype=np.float64)
        total += float(columns.sum() if weight is None else columns @ weight)
    return total


def _matrix(tensor: RawTensor, data_start: int) -> Matrix:
    rows = 1
    for length in tensor.shape[1:]:
        rows *= length
    matrix_rows = tensor.shape[1] if len(tensor.shape) > 1 else 1
    return Matrix(
        tensor.name,
        tensor.type_name,
        tensor.shape[0],
        rows,
        matrix_rows,
        data_start + tensor.offset,
        tensor.size_bytes,
    )
