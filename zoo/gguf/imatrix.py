"""Importance matrices: how strongly each column of a weight matrix is driven by real text.

Stored as llama.cpp's imatrix tool stores them (a GGUF file with ``general.type`` = imatrix): for every matrix NAME
the tensors ``NAME.in_sum2`` (sums of the squared inputs) and ``NAME.counts`` (how many inputs were summed), so
that llama-quantize and llama-imatrix read our files and we read theirs.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError, ModelFileError
from zoo.files.whole import write_atomic
from zoo.gguf.encoding import matrices_head
from zoo.gguf.layout import ALIGNMENT, ARRAY, STRING, Bytes, RawFile, RawTensor, broken, opened, read_raw

Floats = NDArray[np.float32]
_SUMS, _COUNTS = ".in_sum2", ".counts"


@dataclass(frozen=True, eq=False)
class Imatrix:
    """Sums by weight matrix.

    sums: matrix name -> float32 (matrices, row_length), sums of squared inputs of each column; ``matrices`` is
    the number of experts, 1 for a plain matrix. counts: matrix name -> float32 (matrices,), inputs summed.
    datasets: names of the texts. chunk_count windows of chunk_tokens tokens were read.
    """

    sums: Mapping[str, Floats]
    counts: Mapping[str, Floats]
    datasets: tuple[str, ...]
    chunk_count: int
    chunk_tokens: int

    def importance(self, name: str) -> Floats | None:
        """Mean squared input of each column, float32 (matrices, row_length); None if the matrix is unknown.

        The formula and its rounding are llama-quantize's; an expert that no token reached weighs all columns equally.
        """
        if name not in self.sums:
            return None
        counts = self.counts[name][:, None]
        means = self.sums[name] / np.where(counts > 0, counts, np.float32(1))
        return np.where(counts > 0, means, np.float32(1)).astype(np.float32)

    def encoded(self) -> bytes:
        """The complete file; the same matrix gives the same bytes."""
        tensors = {}
        for name in sorted(self.sums):
            tensors[name + _SUMS] = self.sums[name]
            tensors[name + _COUNTS] = self.counts[name][:, None]
        head = matrices_head(
            {
                "general.type": "imatrix",
                "imatrix.chunk_count": self.chunk_count,
                "imatrix.chunk_size": self.chunk_tokens,
                "imatrix.datasets": list(self.datasets),
            },
            {name: (value.shape[0], value.shape[1]) for name, value in tensors.items()},
        )
        return head + b"".join(map(_filled, tensors.values()))

    def sha256(self) -> str:
        """Digest of the file's bytes."""
        return hashlib.sha256(self.encoded()).hexdigest()

    def write(self, target: Path) -> None:
        """Write the file atomically."""
        write_atomic(target, self.encoded())


def read_imatrix(path: Path) -> Imatrix:
    """Read a file of ``Imatrix.write`` or of llama.cpp's imatrix tool (its GGUF format).

    Raises ModelFileError if it is not a valid GGUF file, not an importance matrix, or has negative, NaN or infinite
    values.
    """
    with opened(path) as source:
        raw = read_raw(source)
        if _text(source, raw, "general.type") != "imatrix":
            raise ModelFileError(
                f"{path.name} is not an importance matrix",
                where=str(path),
                remedy="Use a GGUF file made by llama-imatrix or by this program (general.type = imatrix)",
            )
        values = {tensor.name: _values(source, raw, tensor) for tensor in raw.tensors}
        return Imatrix(
            *_paired(path, values),
            datasets=_texts(source, raw, "imatrix.datasets"),
            chunk_count=_whole(source, raw, "imatrix.chunk_count"),
            chunk_tokens=_whole(source, raw, "imatrix.chunk_size"),
        )


def check_fits(imatrix: Imatrix, shapes: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Refuse an importance matrix of another model.

    shapes: tensor name -> shape in ggml order of the model ``name``. Raises InputError if the matrix has a tensor that
    the model lacks, a different row length or number of experts, or no tensors.
    """
    foreign = sorted(set(imatrix.sums) - set(shapes))
    wrong = [
        known
        for known, sums in imatrix.sums.items()
        if known in shapes and sums.shape != (_matrices(shapes[known]), shapes[known][0])
    ]
    if not foreign and not wrong and imatrix.sums:
        return
    if wrong:
        sums, shape = imatrix.sums[wrong[0]].shape, shapes[wrong[0]]
        why = f"{wrong[0]} has {sums[0]} x {sums[1]} columns in it, {_matrices(shape)} x {shape[0]} in the model"
    else:
        why = f"the model has no {foreign[0]}" if foreign else "it is empty"
    raise InputError(
        f"the importance matrix does not belong to {name}: {why}", remedy="Make it from this model's own exported file"
    )


def _matrices(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape[2:]:
        count *= length
    return count


def _paired(path: Path, values: Mapping[str, Floats]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    sums, counts = {}, {}
    # Newer tools add plain sums (NAME.in_sum), which quantizing does not use.
    for name, value in values.items():
        if not name.endswith((_SUMS, _COUNTS)):
            continue
        if not np.isfinite(value).all() or (value < 0).any():
            raise broken(path, f"{name} has values that are negative, NaN or infinite")
        if name.endswith(_SUMS):
            sums[name.removesuffix(_SUMS)] = value
        elif name.endswith(_COUNTS):
            counts[name.removesuffix(_COUNTS)] = value[:, 0]
    if set(sums) != set(counts):
        odd = min(set(sums) ^ set(counts))
        raise broken(path, f"{odd} has sums without counts or counts without sums")
    for name, value in sums.items():
        # llama.cpp keeps one count for a plain matrix, one for each expert of a stack.
        if len(counts[name]) != len(value) and len(counts[name]) != 1:
            raise broken(path, f"{name} has {len(value)} rows of sums and {len(counts[name])} counts")
        counts[name] = np.broadcast_to(counts[name], (len(value),)).copy()
        if ((counts[name] > 0) & (counts[name] < 1)).any():
            raise broken(path, f"{name} has a count between 0 and 1, but counts are whole numbers")
    return sums, counts


def _values(source: Bytes, raw: RawFile, tensor: RawTensor) -> Floats:
    if tensor.type_name != "F32":
        raise broken(source.path, f"{tensor.name} is {tensor.type_name}, not F32")
    start = raw.data_start + tensor.offset
    flat = np.frombuffer(source.data[start : start + tensor.size_bytes], dtype="<f4")
    return flat.reshape(-1, tensor.shape[0]).astype(np.float32)


def _text(source: Bytes, raw: RawFile, key: str) -> str:
    entry = raw.entries.get(key)
    if entry is None or entry.value_type != STRING:
        return ""
    return source.data[entry.start + 8 : entry.end].decode("utf-8", errors="replace")


def _texts(source: Bytes, raw: RawFile, key: str) -> tuple[str, ...]:
    entry = raw.entries.get(key)
    if entry is None or entry.value_type != ARRAY or entry.item_type != STRING:
        return ()
    source.at = entry.start
    return tuple(source.text(key) for _ in range(entry.count))


def _whole(source: Bytes, raw: RawFile, key: str) -> int:
    entry = raw.entries.get(key)
    if entry is None or entry.value_type != 4:
        raise broken(source.path, f"the key {key!r} is missing or is not a whole number")
    return int(struct.unpack_from("<I", source.data, entry.start)[0])


def _filled(value: Floats) -> bytes:
    raw = np.ascontiguousarray(value, dtype="<f4").tobytes()
    return raw + b"\0" * (-len(raw) % ALIGNMENT)
