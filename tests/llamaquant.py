"""llama.cpp's own quantizer, called as its command-line tool calls it, to compare ours with."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from catalog.quants import QUANTS
from zoo.gguf.header import read_header
from zoo.gguf.imatrix import Imatrix
from zoo.gguf.layout import opened, read_raw
from zoo.llama import library


def llama_quantize(source: Path, target: Path, type_name: str, imatrix: Imatrix | None = None) -> None:
    """Run ``llama_model_quantize``; raises AssertionError if it fails."""
    assert code(source, target, QUANTS[type_name].number, imatrix) == 0


def code(source: Path, target: Path, number: int, imatrix: Imatrix | None = None) -> int:
    """What ``llama_model_quantize`` answers for a file type: 0 if it wrote the file."""
    lib = library.require()
    params = lib.llama_model_quantize_default_params()
    params.nthread, params.ftype = 1, number
    kept = []
    if imatrix:
        table = (lib.llama_model_imatrix_data * (len(imatrix.sums) + 1))()
        for slot, name in zip(table, imatrix.sums, strict=False):
            values = imatrix.importance(name)
            assert values is not None
            data = (ctypes.c_float * values.size)(*values.ravel())
            kept.append(data)
            slot.name, slot.data, slot.size = name.encode(), data, values.size
        params.imatrix = ctypes.cast(table, type(params.imatrix))
    return int(lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)))


def tensors(path: Path) -> dict[str, tuple[str, bytes]]:
    """Name -> (type, bytes) of every tensor of a file."""
    with opened(path) as data:
        raw = read_raw(data)
        return {
            t.name: (
                t.type_name,
                data.data[raw.data_start + t.offset : raw.data_start + t.offset + t.size_bytes],
            )
            for t in raw.tensors
        }


def random_imatrix(model: Path, seed: int = 0) -> Imatrix:
    """Importance for the matrices of a tiny model's layers, some columns of no importance at all."""
    random = np.random.default_rng(seed)
    found = [t for t in read_header(model).tensors if len(t.shape) == 2 and t.name.startswith("blk.")]
    sums = {t.name: (random.normal(size=(1, t.shape[0])) ** 2 * 512).astype(np.float32) for t in found}
    for value in sums.values():
        value[0, :3] = 0
    counts = {t.name: np.array([512], dtype=np.float32) for t in found}
    return Imatrix(sums, counts, ("calibration.en.txt",), 1, 512)
