"""llama.cpp's named file types ("Q4_K_M") and the type that each gives to every tensor of a model.

The choice is llama.cpp's own: its quantizer reports what it would do (``dry_run``), which reads no weights.
"""

from __future__ import annotations

import ctypes
import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from catalog.quants import QUANTS
from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import read_header
from zoo.gguf.layout import BLOCKS
from zoo.llama import library

_LINE = re.compile(r"^\[ *\d+/ *\d+\] (?P<name>\S+) +- \[.*\], type = +(?P<type>\S+), *$")
_BECOMES = re.compile(r"^size = .* -> .*\((?P<type>\S+)\)$")
_FALLBACK = re.compile(
    r"^warning: (?P<name>\S+) +- ncols +(?P<row>\d+) not divisible by .* type +(?P<type>\S+)\) *$"
)


@dataclass(frozen=True)
class Fallback:
    """A tensor whose rows do not divide into the blocks of ``wanted``; it became ``got``."""

    name: str
    row_length: int
    wanted: str
    got: str


@dataclass(frozen=True)
class Choice:
    """types: tensor name -> type, for every tensor that becomes another type. fallbacks: tensors whose rows the
    blocks of the file type's base type do not divide, sorted by name.

    important: tensors that llama.cpp refuses to quantize so low without an importance matrix, sorted.
    """

    types: dict[str, str]
    fallbacks: tuple[Fallback, ...]
    important: tuple[str, ...]


def file_type(name: str) -> tuple[int, str]:
    """llama_ftype number and base tensor type. Raises InputError with a suggestion for an unknown name."""
    if name in QUANTS:
        return QUANTS[name].number, QUANTS[name].base
    close = difflib.get_close_matches(name.upper(), QUANTS, n=1, cutoff=0.5)
    remedy = f"Did you mean {close[0]}?" if close else f"Known types: {', '.join(QUANTS)}"
    raise InputError(f"{name!r} is not a llama.cpp quantization type", remedy=remedy)


def choose(source: Path, type_name: str, *, with_imatrix: bool) -> Choice:
    """The type that llama.cpp would give every tensor of ``source`` (F32, F16 or BF16) for the file type ``type_name``.

    with_imatrix: some mixes differ when there is an importance matrix.
    Raises InputError for an unknown type, ModelFileError if llama.cpp refuses the file or does not report a tensor.
    """
    number, base = file_type(type_name)
    lines = _ask(source, number, with_imatrix)
    types: dict[str, str] = {}
    wanted: dict[str, tuple[str, int]] = {}
    name, reported = "", set()
    for line in lines:
        if found := _LINE.match(line):
            name = found["name"]
            reported.add(name)
        elif name and (found := _BECOMES.match(line)):
            types[name] = found["type"].upper()
        elif found := _FALLBACK.match(line):
            wanted[found["name"]] = (found["type"].upper(), int(found["row"]))
    _refuse_unreported(source, reported)
    _add_heads(source, base, types, wanted)
    # A mix of a type that fits, such as Q4_0, requests Q6_K for a tied embedding and gets Q8_0: better than its name.
    wanted = {name: asked for name, asked in wanted.items() if asked[1] % BLOCKS[base][0]}
    fallbacks = tuple(
        Fallback(name, row, asked, types.get(name, "F16")) for name, (asked, row) in sorted(wanted.items())
    )
    return Choice(types, fallbacks, _important(types, type_name))


def _refuse_unreported(source: Path, reported: Collection[str]) -> None:
    """A tensor that is not in the report would stay as it is, and the file be larger than its name says."""
    names = [tensor.name for tensor in read_header(source).tensors]
    lacking = [name for name in names if name not in reported]
    if lacking:
        raise ModelFileError(
            f"llama.cpp reports a type for {len(names) - len(lacking)} of the {len(names)} tensors of {source.name}; "
            f"{lacking[0]} is not in its report",
            safe="Nothing was written", remedy="Install the version of llama-cpp-python that the project pins",
        )  # fmt: skip


def _add_heads(source: Path, base: str, types: dict[str, str], wanted: dict[str, tuple[str, int]]) -> None:
    """llama.cpp gives an output head (or a tied embedding) of odd rows Q8_0 and does not report it as a fallback."""
    heads = ("output.weight", "token_embd.weight")
    for tensor in read_header(source).tensors:
        odd = tensor.shape[0] % BLOCKS[base][0]
        if odd and tensor.name in heads and tensor.name in types and tensor.name not in wanted:
            wanted[tensor.name] = (base, tensor.shape[0])


def _important(types: dict[str, str], type_name: str) -> tuple[str, ...]:
    """The rule of ``tensor_requires_imatrix`` in llama-quant.cpp."""
    low = {"IQ3_XXS", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ1_S"} | (
        {"Q2_K"} if type_name == "Q2_K_S" else set()
    )
    free = {"token_embd.weight", "per_layer_token_embd.weight", "output.weight"}
    return tuple(sorted(name for name, made in types.items() if made in low and name not in free))


def _ask(source: Path, number: int, with_imatrix: bool) -> list[str]:
    lib = library.require()
    params = lib.llama_model_quantize_default_params()
    params.nthread = 1
    params.ftype = number
    params.dry_run = True
    # Only the presence of a matrix affects the choice, not its content.
    nothing = (ctypes.c_float * 1)(1.0)
    known = (lib.llama_model_imatrix_data * 2)()
    known[0].name, known[0].data, known[0].size = b"-", nothing, 1
    if with_imatrix:
        params.imatrix = ctypes.cast(known, type(params.imatrix))
    with library.hearing() as heard:
        code = lib.llama_model_quantize(str(source).encode(), b"", ctypes.byref(params))
    if code != 0:
        reason = heard.error() or f"code {code}"
        raise ModelFileError(f"llama.cpp cannot quantize {source.name}: {reason}", safe="Nothing was written")
    return heard.lines()
