"""The tensors of a file that become another type: slabs of their rows, quantized by plain Python threads.

Each finished tensor goes into the cache, from which ``mix`` assembles the file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from zoo.errors import ModelFileError
from zoo.gguf.imatrix import Floats
from zoo.gguf.layout import Bytes, RawFile, RawTensor
from zoo.llama.quantize.rows import dequantize_rows, quantize_rows, row_bytes
from zoo.llama.quantize.tensorcache import TensorCache
from zoo.progress import Advance

_SLAB_WEIGHTS = 1 << 20
_COPY_BYTES = 1 << 22


@dataclass
class Job:
    """A tensor that becomes another type. importance: (matrices, row_length); stream: its blob, while it grows."""

    tensor: RawTensor
    type_name: str
    importance: Floats | None
    key: str
    size_bytes: int
    slabs_left: int = 0
    stream: IO[bytes] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rows(self) -> int:
        return weights(self.tensor) // self.tensor.shape[0]

    @property
    def matrix_rows(self) -> int:
        """Rows of one matrix; a tensor of three dimensions is a stack of matrices (experts)."""
        return self.tensor.shape[1] if len(self.tensor.shape) > 1 else 1


def weights(tensor: RawTensor) -> int:
    """Number of weights of a tensor."""
    count = 1
    for length in tensor.shape:
        count *= length
    return count


@dataclass(frozen=True)
class Work:
    """An open source, the cache of finished tensors, and how many threads fill it."""

    data: Bytes
    raw: RawFile
    cache: TensorCache
    threads: int


def quantize(work: Work, jobs: Sequence[Job], advance: Advance) -> None:
    """Make the blobs of ``jobs``. Equal tensors are made once."""
    jobs = list({job.key: job for job in jobs}.values())
    slabs = _slabs(jobs)
    turn, told, failed = threading.Lock(), threading.Lock(), threading.Event()

    def fill() -> None:
        while not failed.is_set():
            with turn:
                job, first, last = next(slabs, (None, 0, 0))
            if job is None:
                return
            try:
                _quantize_slab(work, job, first, last)
            except BaseException:
                failed.set()
                raise
            with told:
                advance((last - first) * job.tensor.shape[0])

    try:
        with ThreadPoolExecutor(max(1, work.threads), thread_name_prefix="quantize") as pool:
            try:
                for future in [pool.submit(fill) for _ in range(max(1, work.threads))]:
                    future.result()
            except BaseException:
                failed.set()
                raise
    finally:
        for job in jobs:
            if job.stream is not None:
                work.cache.drop(job.stream)
                job.stream = None


def _slabs(jobs: Sequence[Job]) -> Iterator[tuple[Job | None, int, int]]:
    """(job, first row, last row + 1). A slab stays inside one matrix, because each has its own importance."""
    for job in jobs:
        most = max(1, _SLAB_WEIGHTS // job.tensor.shape[0])
        cuts = [
            (job, matrix + at, matrix + min(at + most, job.matrix_rows))
            for matrix in range(0, job.rows, job.matrix_rows)
            for at in range(0, job.matrix_rows, most)
        ]
        job.slabs_left = len(cuts)
        yield from cuts


def _quantize_slab(work: Work, job: Job, first: int, last: int) -> None:
    data, raw, cache = work.data, work.raw, work.cache
    length = job.tensor.shape[0]
    row = row_bytes(job.tensor.type_name, length)
    start = raw.data_start + job.tensor.offset + first * row
    rows = dequantize_rows(data.data[start : start + (last - first) * row], job.tensor.type_name, length)
    check_finite(rows, job.tensor.name, data.path)
    importance = None if job.importance is None else job.importance[first // job.matrix_rows]
    made = quantize_rows(rows, job.type_name, importance)
    with job.lock:
        if job.stream is None:
            job.stream = cache.new()
        written = os.pwrite(job.stream.fileno(), made, first * row_bytes(job.type_name, length))
        if written != len(made):
            raise OSError(28, "No space left on device")
        job.slabs_left -= 1
        if job.slabs_left == 0:
            cache.keep(job.key, job.stream)
            job.stream = None


def check_finite(rows: Floats, name: str, path: Path) -> None:
    """Raises ModelFileError for NaN and infinity."""
    import numpy as np

    if not np.isfinite(rows).all():
        raise ModelFileError(
            f"the tensor {name} of {path.name} contains NaN or infinity",
            where=str(path),
            safe="Nothing was written",
            remedy="Training or conversion failed: repeat it from an earlier checkpoint",
        )


def pieces(data: Bytes, raw: RawFile, tensor: RawTensor) -> Iterator[memoryview]:
    """The bytes of a tensor as it is in the source."""
    start = raw.data_start + tensor.offset
    with memoryview(data.data) as view:
        for at in range(start, start + tensor.size_bytes, _COPY_BYTES):
            with view[at : min(at + _COPY_BYTES, start + tensor.size_bytes)] as piece:
                yield piece
