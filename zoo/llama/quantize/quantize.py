"""One file of a ladder: llama.cpp's choice of types, the recipe's exceptions, and a report of the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import Header, read_header
from zoo.gguf.imatrix import Imatrix
from zoo.gguf.layout import BLOCKS, PLAIN, Scalar
from zoo.gguf.privacy import local_path_keys
from zoo.llama import library
from zoo.llama.quantize.mix import Content, MixReport, write_mix
from zoo.llama.quantize.presets import Choice, Fallback, choose, file_type
from zoo.llama.quantize.rows import QUANTIZED, row_bytes
from zoo.progress import Reporter, Silent

__all__ = ["Fallback", "Override", "QuantizeReport", "Wanted", "file_type", "quantize"]

MOST_OVER_NAME = 1.5
"""A file with more than this many times the bits of its name is reported. llama.cpp's mixes stay near their names
(Q4_K_M of a large model: 1.07); 1.5 times is the step to the type of the next size."""


@dataclass(frozen=True)
class Override:
    """Tensors whose name matches the pattern ``tensors`` (``*``, ``?`` and ``[...]``) become ``type``."""

    tensors: str
    type: str


@dataclass(frozen=True)
class QuantizeReport:
    """What was made. bits_per_weight is real: 8 x bytes of all tensors / weights, fallbacks included.

    tensor_types: number of tensors of each type, sorted by name. overridden: tensors that an override decided.
    unweighted: tensors quantized without importance although there was a matrix. computed and reused: quantized
    tensors made now and taken from the cache; they depend on earlier runs, everything else does not.
    """

    type_name: str
    size_bytes: int
    bits_per_weight: float
    tensor_types: dict[str, int]
    fallbacks: tuple[Fallback, ...]
    overridden: dict[str, str]
    imatrix_sha256: str | None
    unweighted: tuple[str, ...]
    computed: int
    reused: int


@dataclass(frozen=True)
class Wanted:
    """What a file is to be: a type of llama.cpp, and the exceptions to it. The first override that matches a tensor
    decides. allow_fallback: tensors whose rows do not fit the type may become another one.
    """

    type_name: str
    allow_fallback: bool = False
    imatrix: Imatrix | None = None
    overrides: Sequence[Override] = ()


def quantize(
    source: Path,
    target: Path,
    wanted: Wanted,
    *,
    threads: int,
    report: Reporter | None = None,
    cache_folder: Path | None = None,
) -> QuantizeReport:
    """Quantize an F32, F16 or BF16 file; the target is written atomically, with the same bytes each time.

    The tensors' bytes are those of llama.cpp's own quantizer.
    cache_folder: where quantized tensors are kept for the next file, None for nowhere.
    Raises InputError for an unknown type, an override that matches nothing or does not fit, or an importance
    matrix of another model; ModelFileError if the source is invalid, already quantized or has NaN or infinity,
    if tensors would fall back and that is not allowed, or if the type requires a matrix and there is none.
    """
    type_name, imatrix = wanted.type_name, wanted.imatrix
    file_type(type_name)
    report = report or Silent()
    header = read_header(source)
    _check_float(source, header)
    library.require()
    choice = choose(source, type_name, with_imatrix=imatrix is not None)
    overridden = _overridden(header, choice, wanted.overrides)
    fallbacks = tuple(fallback for fallback in choice.fallbacks if fallback.name not in overridden)
    if fallbacks and not wanted.allow_fallback:
        _refuse_fallbacks(source, header, fallbacks)
    types = {**choice.types, **overridden}
    _check_importance(type_name, choice, types, imatrix)
    changes: dict[str, Scalar | list[str] | None] = dict.fromkeys(local_path_keys(header))
    report.say(
        f"{type_name}: {len(types)} of {len(header.tensors)} tensors, {_bits(header, types):.2f} bits per weight"
    )
    if surprise := _more_than_named(header, type_name, types):
        report.warn(surprise)
    made = write_mix(
        source,
        target,
        Content(types, imatrix, file_type(type_name)[0], changes),
        cache_folder=cache_folder,
        threads=threads,
        report=report,
    )
    return _account(type_name, made, fallbacks, overridden, imatrix)


def _account(
    type_name: str,
    made: MixReport,
    fallbacks: tuple[Fallback, ...],
    overridden: dict[str, str],
    imatrix: Imatrix | None,
) -> QuantizeReport:
    return QuantizeReport(
        type_name,
        made.size_bytes,
        made.bits_per_weight,
        made.tensor_types,
        fallbacks,
        overridden,
        imatrix.sha256() if imatrix else None,
        made.unweighted,
        made.computed,
        made.reused,
    )


def _check_float(source: Path, header: Header) -> None:
    quantized = sorted({tensor.type_name for tensor in header.tensors} - set(PLAIN))
    if quantized:
        raise ModelFileError(
            f"{source.name} is already quantized ({', '.join(quantized)})",
            remedy="Quantize from the F16 file; quantizing twice loses quality twice",
        )


def _overridden(header: Header, choice: Choice, overrides: Sequence[Override]) -> dict[str, str]:
    """Tensor -> type for the tensors that overrides decide. Only tensors that llama.cpp would quantize can be
    overridden."""
    found: dict[str, str] = {}
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    candidates = choice.types or {t.name: t.type_name for t in header.tensors if len(t.shape) > 1}
    for override in overrides:
        if override.type not in (*QUANTIZED, *PLAIN):
            raise InputError(
                f"{override.type!r} is not a tensor type",
                remedy=f"Use one of {', '.join((*QUANTIZED, *PLAIN))}",
            )
        matching = [name for name in candidates if fnmatchcase(name, override.tensors)]
        if not matching:
            raise InputError(
                f"{override.tensors!r} matches no tensor that is quantized",
                remedy=f"Names look like {next(iter(sorted(candidates)), 'blk.0.attn_q.weight')}",
            )
        for name in matching:
            if name not in found:
                _check_row(name, override.type, shapes[name][0])
                found[name] = override.type
    return found


def _check_row(name: str, type_name: str, row_length: int) -> None:
    try:
        row_bytes(type_name, row_length)
    except InputError as error:
        block = BLOCKS[type_name][0]
        raise InputError(
            f"the override of {name} cannot be {type_name}: its rows of {row_length} weights are not a multiple of "
            f"{block}",
            remedy="Use Q8_0, Q5_0, IQ4_NL or Q4_0 for rows that are a multiple of 32, and F16 for others",
        ) from error


def _refuse_fallbacks(source: Path, header: Header, fallbacks: Sequence[Fallback]) -> None:
    rows = sorted({fallback.row_length for fallback in fallbacks})
    wanted = ", ".join(sorted({fallback.wanted for fallback in fallbacks}))
    block = max(BLOCKS[fallback.wanted][0] for fallback in fallbacks)
    fitting = "Q8_0, Q5_0, IQ4_NL or Q4_0" if all(length % 32 == 0 for length in rows) else "F16"
    raise ModelFileError(
        f"{len(fallbacks)} of {len(header.tensors)} tensors of {source.name} cannot be {wanted}: "
        f"their rows of {', '.join(map(str, rows))} weights are not a multiple of {block}",
        safe="Nothing was written",
        remedy=f"Use {fitting}, or set allow_fallback: true to accept other types for these tensors",
    )


def _check_importance(type_name: str, choice: Choice, types: dict[str, str], imatrix: Imatrix | None) -> None:
    known = imatrix.sums if imatrix else {}
    lacking = [name for name in choice.important if types[name] == choice.types[name] and name not in known]
    if lacking:
        raise ModelFileError(
            f"{type_name} needs an importance matrix: without it, {lacking[0]} would be useless as {types[lacking[0]]}",
            safe="Nothing was written",
            remedy="Add calibration text to the recipe (corpus.calibration), or use a type with more bits",
        )


def _bits(header: Header, types: dict[str, str]) -> float:
    total = 0
    for tensor in header.tensors:
        rows = 1
        for length in tensor.shape[1:]:
            rows *= length
        total += rows * row_bytes(types.get(tensor.name, tensor.type_name), tensor.shape[0])
    return 8 * total / header.parameters


def _more_than_named(header: Header, type_name: str, types: dict[str, str]) -> str:
    """A sentence if the file has far more bits per weight than its name says, else ""."""
    base = file_type(type_name)[1]
    weights, size = BLOCKS[base]
    named, real = 8 * size / weights, _bits(header, types)
    if real <= MOST_OVER_NAME * named:
        return ""
    others = [tensor for tensor in header.tensors if types.get(tensor.name, tensor.type_name) != base]
    largest = max(others, key=lambda tensor: math.prod(tensor.shape))
    return (
        f"{type_name}: the file has {real:.2f} bits per weight, not the {named:.2f} of its name. The largest tensor of "
        f"another type is {largest.name} ({types.get(largest.name, largest.type_name)}, "
        f"{math.prod(largest.shape) / header.parameters:.0%} of the weights)"
    )
