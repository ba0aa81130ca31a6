"""A bounds-checked reader of GGUF's header: byte ranges of keys and tensors, never the weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian). Every length in the
file is compared with the remaining bytes before anything is read or allocated, so a damaged file costs nothing. Strings
are skipped, not copied; a vocabulary of 49,152 tokens takes well under 0.1 s.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ModelFileError

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""struct code of each scalar value type."""
STRING, ARRAY = 8, 9
Scalar = str | int | float | bool
ALIGNMENT = 32
"""Of a file that does not say another one (GGUF_DEFAULT_ALIGNMENT of gguf.h)."""

TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18),
}  # fmt: skip
"""ggml type number -> (name, weights per block, bytes per block), as in ggml.h."""
BLOCKS = {name: (weights, size) for name, weights, size in TYPES.values()}
"""ggml type name -> (weights per block, bytes per block)."""
NUMBERS = {name: number for number, (name, _, _) in TYPES.items()}
"""ggml type name -> its number."""
PLAIN = ("F32", "F16", "BF16")
"""Types that hold one number per weight, of those that llama.cpp quantizes from."""

_MAX_DIMENSIONS = 4
_DEEPEST_ARRAY = 4


@dataclass(frozen=True)
class Entry:
    """One metadata key: the type of its value and the place of the value's bytes (type number not included).

    For an array, ``item_type`` and ``count`` describe it and ``start`` is the first item; otherwise item_type
    is -1.
    """

    key: str
    value_type: int
    item_type: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class RawTensor:
    """One tensor's description; ``shape`` is in ggml order (row length first), ``offset`` counts from the
    data.
    """

    name: str
    type_name: str
    shape: tuple[int, ...]
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class RawFile:
    """The parsed header. tensors_start..tensors_end: their descriptions; data_start: the first weight's
    byte.
    """

    version: int
    entries: dict[str, Entry]
    tensors: tuple[RawTensor, ...]
    alignment: int
    tensors_start: int
    tensors_end: int
    data_start: int
    size_bytes: int


class Bytes:
    """A file's bytes with a cursor that cannot move past the end."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data = data
        self.size = len(data)
        self.path = path
        self.at = 0

    def need(self, count: int, what: str) -> None:
        if count > self.size - self.at:
            raise broken(
                self.path, f"{what} would need {count} more bytes, but {self.size - self.at} are left"
            )

    def number(self, code: str, what: str) -> int:
        """The next number, little-endian, of this code of ``struct``. Raises the error of ``broken`` at the end of the
        bytes."""
        size = struct.calcsize("<" + code)
        self.need(size, what)
        value: int = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += size
        return value

    def text(self, what: str) -> str:
        """The next string: its length in bytes as a 64-bit number, then UTF-8."""
        length = self.number("Q", what)
        self.need(length, what)
        raw = self.data[self.at : self.at + length]
        self.at += length
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise broken(self.path, f"{what} is not UTF-8") from error

    def skip_strings(self, count: int, what: str) -> None:
        """Skip ``count`` strings without decoding them."""
        self.need(8 * count, what)
        at, size, data, length_of = self.at, self.size, self.data, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if size - at < 8:
                raise broken(self.path, f"{what} ends in the middle of a string")
            at += 8 + length_of(data, at)[0]
        if at > size:
            raise broken(self.path, f"{what} ends in the middle of a string")
        self.at = at


def broken(path: Path, why: str) -> ModelFileError:
    """The error for a file that is not a valid GGUF, with what to do next."""
    return ModelFileError(
        f"{path.name} is not a valid GGUF file: {why}",
        where=str(path),
        remedy="Fetch or build the file again and compare its SHA-256 with the published one",
    )


@contextmanager
def opened(path: Path) -> Iterator[Bytes]:
    """The file's bytes, memory-mapped. Raises ModelFileError if it cannot be opened or is empty."""
    try:
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield Bytes(data, path)
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelFileError(
            f"{path} cannot be read: {why}", remedy="Name a GGUF file"
        ) from error
    except ValueError as error:
        if path.stat().st_size:
            raise
        raise broken(path, "it is empty") from error


def read_raw(source: Bytes) -> RawFile:
    """Read the complete header. Raises ModelFileError for the first invalid value."""
    version, tensor_count, entry_count = _read_preamble(source)
    entries = _read_entries(source, entry_count)
    alignment = _alignment(source, entries)
    tensors_start = source.at
    # 32 bytes is less than the shortest description (name length, count, one dimension, type, offset).
    source.need(32 * tensor_count, "the tensor list")
    tensors = tuple(_read_tensor(source) for _ in range(tensor_count))
    data_start = -(-source.at // alignment) * alignment
    _check_tensors(source, tensors, alignment, data_start)
    return RawFile(version, entries, tensors, alignment, tensors_start, source.at, data_start, source.size)


def _read_preamble(source: Bytes) -> tuple[int, int, int]:
    if source.data[:4] != b"GGUF":
        raise broken(source.path, "it does not begin with the letters GGUF")
    source.at = 4
    version = source.number("I", "the version")
    if version not in (2, 3):
        kind = "big-endian or newer" if version > 3 else "too old"
        raise broken(source.path, f"version {version} is {kind}. Supported are versions 2 and 3, little-endian")
    tensor_count = source.number("Q", "the number of tensors")
    entry_count = source.number("Q", "the number of keys")
    source.need(13 * entry_count, "the metadata")
    return version, tensor_count, entry_count


def _read_entries(source: Bytes, count: int) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for _ in range(count):
        entry = _read_entry(source)
        if entry.key in entries:
            raise broken(source.path, f"the key {entry.key!r} occurs twice")
        entries[entry.key] = entry
    return entries


def _read_entry(source: Bytes) -> Entry:
    key = source.text("a key's name")
    value_type = source.number("I", f"the type of {key!r}")
    if value_type == ARRAY:
        start, item_type, count = _skip_array(source, key, 0)
        return Entry(key, value_type, item_type, count, start, source.at)
    start = source.at
    _skip_values(source, value_type, 1, key)
    return Entry(key, value_type, -1, 1, start, source.at)


def _skip_array(source: Bytes, key: str, depth: int) -> tuple[int, int, int]:
    if depth == _DEEPEST_ARRAY:
        raise broken(source.path, f"the arrays of {key!r} are nested too deeply")
    item_type = source.number("I", f"the item type of {key!r}")
    count = source.number("Q", f"the length of {key!r}")
    start = source.at
    if item_type == ARRAY:
        source.need(12 * count, f"the array {key!r}")
        for _ in range(count):
            _skip_array(source, key, depth + 1)
    else:
        _skip_values(source, item_type, count, key)
    return start, item_type, count


def _skip_values(source: Bytes, value_type: int, count: int, key: str) -> None:
    if value_type == STRING:
        source.skip_strings(count, f"the value of {key!r}")
        return
    if value_type not in SCALARS:
        raise broken(source.path, f"the value of {key!r} has the unknown type {value_type}")
    size = count * struct.calcsize(SCALARS[value_type])
    source.need(size, f"the value of {key!r}")
    source.at += size


def _alignment(source: Bytes, entries: dict[str, Entry]) -> int:
    entry = entries.get("general.alignment")
    if entry is None:
        return ALIGNMENT
    value = struct.unpack_from("<I", source.data, entry.start)[0] if entry.value_type == 4 else 0
    if not 8 <= value <= 1 << 20 or value & (value - 1):
        raise broken(source.path, "general.alignment is not a power of two between 8 and 1048576")
    return int(value)


def _read_tensor(source: Bytes) -> RawTensor:
    name = source.text("a tensor's name")
    dimensions = source.number("I", f"the dimensions of {name!r}")
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise broken(source.path, f"the tensor {name!r} has {dimensions} dimensions")
    shape = tuple(source.number("Q", f"the shape of {name!r}") for _ in range(dimensions))
    number = source.number("I", f"the type of {name!r}")
    offset = source.number("Q", f"the place of {name!r}")
    if number not in TYPES:
        raise broken(source.path, f"the tensor {name!r} has the unknown type {number}")
    type_name, block, block_bytes = TYPES[number]
    weights = 1
    for length in shape:
        weights *= length
    if weights == 0 or shape[0] % block:
        raise broken(
            source.path, f"the tensor {name!r} of type {type_name} cannot have the shape {list(shape)}"
        )
    return RawTensor(name, type_name, shape, offset, weights // block * block_bytes)


def _check_tensors(source: Bytes, tensors: tuple[RawTensor, ...], alignment: int, data_start: int) -> None:
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise broken(source.path, f"the tensor {tensor.name!r} occurs twice")
        names.add(tensor.name)
        if tensor.offset % alignment:
            raise broken(source.path, f"the tensor {tensor.name!r} is not aligned to {alignment} bytes")
        end = data_start + tensor.offset + tensor.size_bytes
        if end > source.size:
            raise broken(source.path, f"it is incomplete: {tensor.name!r} ends at byte {end} of {source.size}")
