"""The weights of a model folder: their files, and the name, type and shape of every tensor."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeGuard

from catalog import jsontext
from catalog.jsonvalues import table, text
from catalog.shapes import shaped
from catalog.unseen import visible
from zoo.errors import ModelFileError
from zoo.modelfolder import otherlayouts
from zoo.modelfolder.files import CONFIG, INDEX, SINGLE
from zoo.modelfolder.smallfiles import read_json, refuse_pointer

MOST_HEADER_BYTES = 100_000_000
"""The safetensors format allows no larger header."""
SHOWN_NAMES = 6
"""How many tensors an error names; the others are counted."""
BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16,
        "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64}  # fmt: skip
"""Bits of one number, by the name of its type in the safetensors format. Other types are not checked."""


@dataclass(frozen=True)
class Stored:
    """A tensor as a safetensors header describes it: ``dtype`` as the format writes it ("BF16"), where it is."""

    name: str
    file: str
    dtype: str
    shape: tuple[int, ...]


class Entry(TypedDict):
    """A tensor in the header of a safetensors file; data_offsets: where its bytes begin and end, after the header."""

    dtype: str
    shape: list[int]
    data_offsets: list[int]


def is_model_folder(folder: Path) -> bool:
    """Whether it has a configuration and weights, without looking at what is in them; False if that cannot be seen."""
    try:
        return (folder / CONFIG).is_file() and next(folder.glob("*.safetensors"), None) is not None
    except OSError:
        return False


def weight_files(folder: Path, files: Mapping[str, Path]) -> tuple[str, ...]:
    """Names of the files that hold the weights: one model.safetensors, or what the index names.

    Raises ModelFileError for two sets, a shard that is missing, pickles, and no weights at all.
    """
    index = _index(files)
    if index is None:
        if SINGLE in files:
            return (SINGLE,)
        raise _no_weights(folder)
    shards = tuple(sorted(set(index.values())))
    if not shards:
        raise ModelFileError(
            "weight_map names no file", where=INDEX, remedy="Fetch the index of the weights again"
        )
    if SINGLE in files and SINGLE not in shards:
        raise ModelFileError(
            f"The folder has two sets of weights: {SINGLE}, and {_named(shards)} of {INDEX}",
            where=folder.name,
            remedy=f"Delete the set you do not need: either {SINGLE}, or {INDEX} with its files",
        )
    absent = [shard for shard in shards if shard not in files]
    if absent:
        there = [name for name in files if name.endswith(".safetensors")]
        found = f"; the folder has {_named(there)}" if there else ""
        raise ModelFileError(
            f"{INDEX} names files that are not in the folder: {_named(absent)}{found}", where=folder.name,
            remedy="Fetch the missing files, or the index that belongs to these files",
        )  # fmt: skip
    return shards


class _Index(TypedDict):
    """The file that each tensor is in."""

    weight_map: dict[str, str]


def shards_of(folder: Path) -> set[str]:
    """Files that the index of a folder names; empty without an index, or with one that cannot be read."""
    try:
        index = shaped(jsontext.read((folder / INDEX), bounded=False), _Index)
        return {name for name in index["weight_map"].values() if "/" not in name}
    except (OSError, ValueError):
        return set()


def tensors(files: Mapping[str, Path], names: Iterable[str]) -> dict[str, Stored]:
    """Every tensor of the files ``names``, by name.

    Raises ModelFileError for a damaged file, a tensor that occurs twice, and an index that contradicts the files.
    """
    found: dict[str, Stored] = {}
    for file in names:
        for name, entry in read_header(files[file], file).items():
            if name in found:
                raise ModelFileError(
                    f"The tensor {name} is in both {found[name].file} and {file}", where=INDEX,
                    remedy="Fetch the weights again. Each tensor must be in one file only",
                )  # fmt: skip
            found[name] = Stored(name, file, entry["dtype"], tuple(entry["shape"]))
    _check_index(files, found)
    return found


def read_header(path: Path, name: str) -> dict[str, Entry]:
    """Tensor name to its entry (dtype, shape, data_offsets) of a safetensors file; the weights are not read.

    Format: 8 bytes with the length of the header, the header as JSON, the data without gaps. Raises ModelFileError.
    """
    refuse_pointer(path, name)
    size = path.stat().st_size
    if not size:
        raise _damaged(name, "it is empty")
    with path.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(MOST_HEADER_BYTES, size - 8):
            raise _damaged(name, "its header is incomplete, or it has another format")
        raw = stream.read(length)
    try:
        header = jsontext.parse(raw, unique=True)
    except ValueError as error:
        raise _damaged(name, "its header cannot be read") from error
    if not isinstance(header, dict) or not _is_metadata(header.pop("__metadata__", {})):
        raise _damaged(name, "its header cannot be read")
    entries = {key: entry for key, entry in header.items() if _is_entry(entry)}
    if len(entries) != len(header):
        raise _damaged(name, "its header cannot be read")
    end = 0
    for start, stop in sorted(entry["data_offsets"] for entry in entries.values()):
        if start != end:
            raise _damaged(name, "its tensors overlap, or there are gaps between them")
        end = stop
    if end != size - 8 - length:
        raise _damaged(name, f"it should have {8 + length + end:,} bytes and has {size:,}")
    for key, entry in entries.items():
        start, stop = entry["data_offsets"]
        if (bits := BITS.get(entry["dtype"])) and bits * math.prod(entry["shape"]) != 8 * (stop - start):
            raise _damaged(name, f"the tensor {key} has a size that does not match its shape")
    return entries


def _is_entry(entry: object) -> TypeGuard[Entry]:
    """Whether a header describes a tensor in full: a type, a shape, and two offsets in order."""
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        return False
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not (isinstance(shape, list) and isinstance(offsets, list) and all(map(_is_size, [*shape, *offsets]))):
        return False
    return len(offsets) == 2 and offsets[0] <= offsets[1]


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_metadata(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def named(names: Iterable[str]) -> str:
    """Some names for a sentence: the first few, and how many more there are."""
    return _named(list(names))


def _named(names: Iterable[str]) -> str:
    every = [visible(name) for name in names]
    more = len(every) - SHOWN_NAMES
    return ", ".join(every[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _index(files: Mapping[str, Path]) -> dict[str, str] | None:
    if INDEX not in files:
        return None
    named_files = table(read_json(files[INDEX], INDEX)["weight_map"])
    index = {name: text(file) for name, file in named_files.items()}
    outside = sorted({name for name in index.values() if "/" in name or not name.endswith(".safetensors")})
    if outside:
        raise ModelFileError(
            f"weight_map names {_named(outside)}; weights must be .safetensors files next to the index", where=INDEX,
            remedy="Fetch a revision with plain .safetensors files",
        )  # fmt: skip
    return index


def _check_index(files: Mapping[str, Path], found: Mapping[str, Stored]) -> None:
    index = _index(files)
    if index is None:
        return
    absent = [f"{name} ({file})" for name, file in sorted(index.items()) if name not in found]
    elsewhere = [name for name, file in sorted(index.items()) if name in found and found[name].file != file]
    beyond = sorted(set(found) - set(index))
    for names, what in (
        (absent, "names tensors that its files lack"),
        (elsewhere, "names the wrong file for tensors"),
        (beyond, "does not name tensors that its files have"),
    ):
        if names:
            raise ModelFileError(
                f"The index {what}: {_named(names)}", where=INDEX,
                remedy="Fetch the index and the weights of one revision again",
            )  # fmt: skip


def _no_weights(folder: Path) -> ModelFileError:
    other = sorted(
        path.name
        for path in folder.glob("*.safetensors")
        if path.name != "adapter_model.safetensors" and not path.name.startswith(otherlayouts.NATIVE)
    )
    if other:
        return ModelFileError(
            f"The folder has no {SINGLE} and no {INDEX}, only {_named(other)}", where=folder.name,
            remedy=f"Rename a single file to {SINGLE}. For several files, also fetch their {INDEX}",
        )  # fmt: skip
    return otherlayouts.without_weights(folder)


def _damaged(name: str, why: str) -> ModelFileError:
    return ModelFileError(
        f"The file is damaged: {why}", where=name,
        remedy="Fetch the file again and compare its sha256 with the publisher's",
    )  # fmt: skip
