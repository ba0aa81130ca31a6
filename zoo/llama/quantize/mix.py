"""A complete GGUF file with a chosen type for every tensor.

Tensors are quantized by slabs of rows (``slabs``), so memory has a slab per thread instead of a model. Finished tensors
go into a cache with a key of their inputs; then the file is assembled from it. The same input gives the same bytes,
whatever the threads and the cache.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from zoo.errors import AGAIN, InputError, ModelFileError, ZooError
from zoo.gguf.header import descriptions, header_bytes, read_header
from zoo.gguf.imatrix import Floats, Imatrix, check_fits
from zoo.gguf.layout import PLAIN, Bytes, RawFile, RawTensor, Scalar, opened, read_raw
from zoo.llama import library
from zoo.llama.quantize.rows import dequantize_rows, needs_importance, row_bytes
from zoo.llama.quantize.slabs import Job, Work, check_finite, pieces, quantize, weights
from zoo.llama.quantize.tensorcache import TensorCache
from zoo.machine.processor import here
from zoo.progress import Reporter, Silent

QUANTIZATION_VERSION = 2
"""GGML_QNT_VERSION of ggml.h, which every quantized file carries."""


@dataclass(frozen=True)
class MixReport:
    """What was made. bits_per_weight is real: 8 x bytes of all tensors / weights.

    tensor_types: number of tensors of each type. computed and reused: quantized tensors that were made now, and
    that the cache had. unweighted: tensors that were quantized although the importance matrix does not have them.
    """

    size_bytes: int
    bits_per_weight: float
    tensor_types: dict[str, int]
    computed: int
    reused: int
    unweighted: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """What a file is to hold: types by tensor, and by which importance. Tensors without a type are copied.

    file_type: llama_ftype number for ``general.file_type``, None keeps the source's. changes: further metadata keys to
    set or (None) remove.
    """

    types: Mapping[str, str]
    imatrix: Imatrix | None = None
    file_type: int | None = None
    changes: Mapping[str, Scalar | list[str] | None] = field(default_factory=dict)


def write_mix(
    source: Path,
    target: Path,
    content: Content,
    *,
    cache_folder: Path | None,
    threads: int,
    report: Reporter | None = None,
) -> MixReport:
    """Write ``target``: ``source`` (F32, F16 or BF16) with the tensors as in ``content``, atomically.

    cache_folder: where quantized tensors are kept between calls (safe to share and to delete); None keeps nothing.
    threads: cores to use; they do not spin.
    Raises InputError for a missing tensor, a type that does not fit its rows or requires importance, or an
    importance matrix of another model; ModelFileError for an invalid source, NaN or infinity; ZooError if the
    disk is full.
    """
    report, imatrix = report or Silent(), content.imatrix
    library.require()
    with opened(source) as data, _cache(cache_folder, target) as folder:
        raw = read_raw(data)
        cache = TensorCache(folder)
        work = Work(data, raw, cache, threads)
        if imatrix:
            check_fits(imatrix, {t.name: t.shape for t in raw.tensors}, source.name)
        jobs = _jobs(data, raw, content.types, imatrix)
        try:
            missing = [job for job in jobs.values() if not cache.has(job.key, job.size_bytes)]
            with report.task(
                "Quantizing", float(sum(weights(j.tensor) for j in missing)), "weights"
            ) as advance:
                quantize(work, missing, advance)
            header = _header(data, raw, jobs, content)
            missing += _write(work, header, jobs, target)
        except OSError as error:
            raise _unwritten(error, target) from error
    made = read_header(target)
    return MixReport(
        target.stat().st_size,
        made.bits_per_weight,
        dict(sorted(Counter(tensor.type_name for tensor in made.tensors).items())),
        len({job.key for job in missing}),
        len({job.key for job in jobs.values()} - {job.key for job in missing}),
        tuple(sorted(name for name, job in jobs.items() if imatrix and job.importance is None)),
    )


def _cache(folder: Path | None, target: Path) -> nullcontext[Path] | _Scratch:
    return nullcontext(folder) if folder else _Scratch(target)


class _Scratch:
    """A cache for one call, next to the target."""

    def __init__(self, target: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent)

    def __enter__(self) -> Path:
        return Path(self.folder.name)

    def __exit__(self, *details: object) -> None:
        self.folder.cleanup()


def _unwritten(error: OSError, target: Path) -> ZooError:
    return ZooError(
        f"{target.name} could not be written: {error.strerror or error}",
        where=str(target),
        safe="No incomplete file was left, and finished tensors are kept",
        remedy="Free some space on the disk",
        again=AGAIN,
    )


def _jobs(data: Bytes, raw: RawFile, types: Mapping[str, str], imatrix: Imatrix | None) -> dict[str, Job]:
    known = {tensor.name: tensor for tensor in raw.tensors}
    if unknown := sorted(set(types) - set(known)):
        raise InputError(f"{data.path.name} has no tensor {unknown[0]}")
    # Called once: it reads the package's metadata, which would take half a second for hundreds of tensors.
    tool = library.versions()["llama-cpp-python"]
    jobs = {}
    for name, type_name in types.items():
        tensor = known[name]
        if tensor.type_name == type_name:
            continue
        if tensor.type_name not in PLAIN:
            raise ModelFileError(
                f"{name} of {data.path.name} is already quantized ({tensor.type_name})",
                remedy="Quantize from the F16 file; quantizing twice loses quality twice",
            )
        try:
            row = row_bytes(type_name, tensor.shape[0])
        except InputError as error:
            raise InputError(f"{name} cannot be {type_name}: {error.what}", remedy=error.remedy) from error
        importance = imatrix.importance(name) if imatrix and type_name not in PLAIN else None
        if importance is None and type_name not in PLAIN and needs_importance(type_name):
            raise InputError(
                f"{name} cannot be {type_name} without an importance matrix that covers it",
                remedy="Add calibration text to the recipe (corpus.calibration), or use another type",
            )
        size = weights(tensor) // tensor.shape[0] * row
        key = _key(data, raw, tensor, f"{type_name} {tool} {here().machine}", importance)
        jobs[name] = Job(tensor, type_name, importance, key, size)
    return jobs


def _key(data: Bytes, raw: RawFile, tensor: RawTensor, made: str, importance: Floats | None) -> str:
    """Digest of everything that affects a quantized tensor's bytes. made: the type, the version of its maker, and the
    architecture of the processor, whose compilers may round in another way.
    """
    digest = hashlib.sha256(f"1 {tensor.type_name} {tensor.shape} {made} ".encode())
    for piece in pieces(data, raw, tensor):
        digest.update(piece)
    if importance is not None:
        digest.update(b"importance" + importance.tobytes())
    return digest.hexdigest()


def _header(data: Bytes, raw: RawFile, jobs: Mapping[str, Job], content: Content) -> bytes:
    values: dict[str, Scalar | list[str] | None] = {"general.quantization_version": QUANTIZATION_VERSION}
    imatrix = content.imatrix
    if content.file_type is not None:
        values["general.file_type"] = content.file_type
    # llama-quantize also writes the matrix's path here (quantize.imatrix.file); a builder's path must not be published.
    values["quantize.imatrix.file"] = None
    if imatrix and any(job.importance is not None for job in jobs.values()):
        values["quantize.imatrix.dataset"] = ", ".join(imatrix.datasets)
        values["quantize.imatrix.entries_count"] = len(imatrix.sums)
        values["quantize.imatrix.chunks_count"] = imatrix.chunk_count
    types = {name: job.type_name for name, job in jobs.items()}
    return header_bytes(data, raw, {**values, **content.changes}, descriptions(raw, types))


def _write(work: Work, header: bytes, jobs: Mapping[str, Job], target: Path) -> list[Job]:
    """Assemble the file. Returns the jobs whose blob was damaged and was made again."""
    data, raw, cache = work.data, work.raw, work.cache
    again = []
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as out:
        part = Path(out.name)
        try:
            out.write(header + b"\0" * (-len(header) % raw.alignment))
            for tensor in raw.tensors:
                job = jobs.get(tensor.name)
                if job is None:
                    _copy(data, raw, tensor, out)
                elif not cache.copy(job.key, job.size_bytes, out):
                    again.append(job)
                    quantize(work, [job], lambda _: None)
                    if not cache.copy(job.key, job.size_bytes, out):
                        raise ZooError(f"what was just written to {cache.folder} cannot be read back")
                out.write(b"\0" * (-out.tell() % raw.alignment))
            out.flush()
            os.fsync(out.fileno())
            part.chmod(0o644)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return again


def _copy(data: Bytes, raw: RawFile, tensor: RawTensor, out: IO[bytes]) -> None:
    for piece in pieces(data, raw, tensor):
        if tensor.type_name in PLAIN:
            check_finite(dequantize_rows(bytes(piece), tensor.type_name, 1), tensor.name, data.path)
        out.write(piece)
