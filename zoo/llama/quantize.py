"""Quantizing a GGUF file through llama.cpp, with an account of what every tensor became."""

from __future__ import annotations

import ctypes
import difflib
import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import InputError, ModelFileError
from zoo.llama import library
from zoo.llama.header import Header, read_header
from zoo.llama.privacy import drop_local_paths
from zoo.llama.rawgguf import TYPES, opened, read_raw
from zoo.progress import Advance, Reporter, Silent

FILE_TYPES: dict[str, tuple[int, str]] = {
    "F32": (0, "F32"), "F16": (1, "F16"), "BF16": (32, "BF16"), "Q4_0": (2, "Q4_0"), "Q4_1": (3, "Q4_1"),
    "Q5_0": (8, "Q5_0"), "Q5_1": (9, "Q5_1"), "Q8_0": (7, "Q8_0"), "Q2_K": (10, "Q2_K"), "Q2_K_S": (21,
    "Q2_K"), "Q3_K_S": (11, "Q3_K"), "Q3_K_M": (12, "Q3_K"), "Q3_K_L": (13, "Q3_K"), "Q4_K_S": (14, "Q4_K"),
    "Q4_K_M": (15, "Q4_K"), "Q5_K_S": (16, "Q5_K"), "Q5_K_M": (17, "Q5_K"), "Q6_K": (18, "Q6_K"),
    "IQ1_S": (24, "IQ1_S"), "IQ1_M": (31, "IQ1_M"), "IQ2_XXS": (19, "IQ2_XXS"), "IQ2_XS": (20, "IQ2_XS"),
    "IQ2_S": (28, "IQ2_XS"), "IQ2_M": (29, "IQ2_S"), "IQ3_XXS": (23, "IQ3_XXS"), "IQ3_XS": (22, "IQ3_S"),
    "IQ3_S": (26, "IQ3_S"), "IQ3_M": (27, "IQ3_S"), "IQ4_NL": (25, "IQ4_NL"), "IQ4_XS": (30, "IQ4_XS"),
    "TQ1_0": (36, "TQ1_0"), "TQ2_0": (37, "TQ2_0"), "MXFP4_MOE": (38, "MXFP4"), "NVFP4": (39, "NVFP4"),
    "Q1_0": (40, "Q1_0"), "Q2_0": (41, "Q2_0"),
}  # fmt: skip
"""Name of a file type -> (llama_ftype number of llama.h, its base tensor type)."""

_BLOCKS = {name: block for name, block, _ in TYPES.values()}
_PROGRESS = re.compile(r"^\[ *(\d+)/ *(\d+)\]")
_SCAN_BYTES = 1 << 24


@dataclass(frozen=True)
class Fallback:
    """A tensor whose rows do not divide into the blocks of ``wanted``; it became ``got``."""

    name: str
    row_length: int
    wanted: str
    got: str


@dataclass(frozen=True)
class QuantizeReport:
    """What was made. bits_per_weight is real: 8 x bytes of all tensors / weights, fallbacks included.

    tensor_types: number of tensors of each type, sorted by name.
    """

    type_name: str
    size_bytes: int
    bits_per_weight: float
    tensor_types: dict[str, int]
    fallbacks: tuple[Fallback, ...]


def file_type(name: str) -> tuple[int, str]:
    """llama_ftype number and base tensor type. Raises InputError with a suggestion for an unknown name."""
    if name in FILE_TYPES:
        return FILE_TYPES[name]
    close = difflib.get_close_matches(name.upper(), FILE_TYPES, n=1, cutoff=0.5)
    remedy = f"Did you mean {close[0]}?" if close else f"Known types: {', '.join(FILE_TYPES)}"
    raise InputError(f"{name!r} is no quantization type of llama.cpp", remedy=remedy)


def fallbacks(header: Header, type_name: str) -> tuple[Fallback, ...]:
    """Tensors of a file that cannot have the base type of ``type_name`` because of their row length.

    The rule: a tensor of two or more dimensions that is not F32 and whose row length (first number of its
    shape) is no multiple of the base type's block (256 for k-quants and most i-quants, 32 for Q4_0, Q8_0,
    IQ4_NL, ...). One-dimensional tensors stay F32 by design, and a mix such as Q4_K_M takes Q6_K for some
    tensors by design, so the type alone tells nothing. llama.cpp's own count leaves out the output head, to
    which it gives Q8_0 quietly.
    """
    _, base = file_type(type_name)
    block = _BLOCKS[base]
    return tuple(
        Fallback(tensor.name, tensor.shape[0], base, tensor.type_name)
        for tensor in header.tensors
        if len(tensor.shape) > 1 and tensor.type_name != "F32" and tensor.shape[0] % block
    )


def quantize(
    source: Path,
    target: Path,
    type_name: str,
    *,
    threads: int,
    report: Reporter | None = None,
    allow_fallback: bool = False,
) -> QuantizeReport:
    """Quantize an F32, F16 or BF16 file; the target is written whole or not at all, the same bytes each time.

    Raises InputError for an unknown type; ModelFileError if the source is unsound, already quantized or holds
    NaN or infinity, if tensors would fall back and ``allow_fallback`` is off, or if llama.cpp fails.
    """
    number, _ = file_type(type_name)
    report = report or Silent()
    header = read_header(source)
    _check_float(source, header)
    if not allow_fallback:
        _refuse_fallbacks(source, type_name, header)
    library.require()
    check_finite(source)
    part = _temporary(target)
    try:
        with report.task(f"Quantizing to {type_name}", float(len(header.tensors)), "tensors") as advance:
            _run(source, part, number, threads, advance)
        drop_local_paths(part)
        made = read_header(part)
        part.chmod(0o644)
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return _account(target, type_name, made)


def _account(target: Path, type_name: str, made: Header) -> QuantizeReport:
    counts = Counter(tensor.type_name for tensor in made.tensors)
    return QuantizeReport(
        type_name,
        target.stat().st_size,
        made.bits_per_weight,
        dict(sorted(counts.items())),
        fallbacks(made, type_name),
    )


def _check_float(source: Path, header: Header) -> None:
    quantized = sorted({tensor.type_name for tensor in header.tensors} - {"F32", "F16", "BF16"})
    if quantized:
        raise ModelFileError(
            f"{source.name} is already quantized ({', '.join(quantized)})",
            remedy="Quantize from the F16 file; quantizing twice loses quality twice",
        )


def _refuse_fallbacks(source: Path, type_name: str, header: Header) -> None:
    _, base = file_type(type_name)
    block = _BLOCKS[base]
    # F32 files quantize their matrices too, so here, before the work, the type of the source says nothing.
    rows = [t.shape[0] for t in header.tensors if len(t.shape) > 1 and t.shape[0] % block]
    if rows:
        lengths = ", ".join(str(length) for length in sorted(set(rows)))
        fitting = "Q8_0, Q5_0, IQ4_NL or Q4_0" if all(length % 32 == 0 for length in rows) else "F16"
        raise ModelFileError(
            f"{len(rows)} of {len(header.tensors)} tensors of {source.name} cannot be {base}: "
            f"their rows of {lengths} weights are no multiple of {block}",
            safe="Nothing was written",
            remedy=f"Take {fitting}, or set allow_fallback: true to accept other types for these tensors",
        )


def check_finite(path: Path) -> None:
    """Raise ModelFileError naming the first F32, F16 or BF16 tensor that holds NaN or infinity."""
    with opened(path) as data:
        raw = read_raw(data)
        for tensor in raw.tensors:
            if tensor.type_name not in ("F32", "F16", "BF16"):
                continue
            start = raw.data_start + tensor.offset
            for at in range(start, start + tensor.size_bytes, _SCAN_BYTES):
                piece = data.data[at : min(at + _SCAN_BYTES, start + tensor.size_bytes)]
                if not _finite(piece, tensor.type_name):
                    raise ModelFileError(
                        f"the tensor {tensor.name} of {path.name} holds NaN or infinity",
                        where=str(path),
                        remedy="Training or conversion went wrong: make it again from an earlier checkpoint",
                    )


def _finite(piece: bytes, type_name: str) -> bool:
    """A float is NaN or infinite exactly if all bits of its exponent are set."""
    word, mask = {"F32": ("<u4", 0x7F800000), "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80)}[type_name]
    bits = np.frombuffer(piece, dtype=word)
    return not bool(np.any((bits & bits.dtype.type(mask)) == mask))


def _temporary(target: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    return Path(name)


def _run(source: Path, part: Path, number: int, threads: int, advance: Advance) -> None:
    lib = library.require()
    params = lib.llama_model_quantize_default_params()
    params.nthread = threads
    params.ftype = number
    library.forget_log()

    def watch(line: str) -> None:
        if _PROGRESS.match(line):
            advance(1)

    with library.listening(watch):
        code = lib.llama_model_quantize(str(source).encode(), str(part).encode(), ctypes.byref(params))
    if code != 0:
        reason = library.last_error() or f"code {code}"
        raise ModelFileError(f"llama.cpp cannot quantize {source.name}: {reason}", safe="Nothing was written")
