"""The header of a GGUF file, and rewriting it without changing the weights."""

from __future__ import annotations

import hashlib
import math
import os
import struct
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from zoo.errors import AGAIN, InputError, ModelFileError, remedy_for
from zoo.files.whole import copy_bytes
from zoo.gguf.encoding import encoded, string
from zoo.gguf.layout import (
    ARRAY,
    BLOCKS,
    NUMBERS,
    SCALARS,
    STRING,
    Bytes,
    Entry,
    RawFile,
    Scalar,
    broken,
    opened,
    read_raw,
)

_MOST_LAYERS = 1 << 12
"""A list with more values than this cannot be a list by layer."""


@dataclass(frozen=True)
class TensorInfo:
    """``shape`` in ggml order: the first number is the row length."""

    name: str
    type_name: str
    shape: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True)
class Header:
    """A model file's header.

    parameters: number of weights in the file; a head tied to the embedding is stored, and so counted, once.
    template_sha256: of the chat template's UTF-8 text, None if there is none.
    vocabulary_sha256: of the token list as it is stored; equal lists of tokens give equal digests.
    file_type: llama.cpp's ftype number (``general.file_type``).
    head_count: 0 for a model without attention. key_length, value_length: of one head.
    metadata: every key whose value is a single string, number or truth value.
    lists: every key of the architecture whose value is a list of whole numbers or truth values, as for its layers.
    """

    architecture: str
    parameters: int
    context_tokens: int
    block_count: int
    embedding_length: int
    head_count: int
    head_count_kv: int
    key_length: int
    value_length: int
    vocabulary_size: int
    vocabulary_sha256: str | None
    template_sha256: str | None
    file_type: int | None
    metadata: dict[str, Scalar]
    lists: dict[str, tuple[int, ...]]
    tensors: tuple[TensorInfo, ...]

    @property
    def bits_per_weight(self) -> float:
        """8 x bytes of all tensors / number of weights."""
        return 8 * sum(tensor.size_bytes for tensor in self.tensors) / self.parameters


def read_header(
    path: Path, refuse: Callable[[Mapping[str, Scalar]], None] = lambda _: None, *, vocabulary_only: bool = False
) -> Header:
    """Read the header; the weights are never loaded. refuse: gets the metadata before the keys of a model are read.
    vocabulary_only: the file need not have weights.

    Raises ModelFileError if the file is not a valid GGUF: another format, incomplete, damaged, of an unknown version,
    or without the keys that a language model needs.
    """
    with opened(path) as source:
        raw = read_raw(source)
        if not raw.tensors and not vocabulary_only:
            raise broken(source.path, "it has no tensors")
        metadata = _single_values(source, raw)
        refuse(metadata)
        return _header(source, raw, metadata)


def read_metadata(path: Path) -> dict[str, Scalar]:
    """Every key of the header whose value is a single string, number or truth value. The file need not contain a model.

    Raises ModelFileError if it is not a valid GGUF.
    """
    with opened(path) as source:
        return _single_values(source, read_raw(source))


def _single_values(source: Bytes, raw: RawFile) -> dict[str, Scalar]:
    return {key: _value(source, entry) for key, entry in raw.entries.items() if entry.value_type != ARRAY}


def _header(source: Bytes, raw: RawFile, metadata: dict[str, Scalar]) -> Header:
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise broken(source.path, "it does not name its architecture (general.architecture)")

    def number(name: str, default: int | None = None, least: int = 1) -> int:
        return _number(source, raw, f"{architecture}.{name}", default, least)

    heads = number("attention.head_count", least=0)
    width = number("embedding_length")
    head_length = width // heads if heads else 0
    tokens = raw.entries.get("tokenizer.ggml.tokens")
    template = metadata.get("tokenizer.chat_template")
    file_type = metadata.get("general.file_type")
    tensors = tuple(TensorInfo(t.name, t.type_name, t.shape, t.size_bytes) for t in raw.tensors)
    return Header(
        architecture=architecture,
        parameters=sum(_weights(tensor.shape) for tensor in tensors),
        context_tokens=number("context_length"),
        block_count=number("block_count"),
        embedding_length=width,
        head_count=heads,
        head_count_kv=number("attention.head_count_kv", heads, 0),
        key_length=number("attention.key_length", head_length, 0),
        value_length=number("attention.value_length", head_length, 0),
        vocabulary_size=tokens.count if tokens else number("vocab_size"),
        vocabulary_sha256=_digest(source, tokens),
        template_sha256=hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None,
        file_type=file_type if isinstance(file_type, int) else None,
        metadata=metadata,
        lists=_lists(source, raw, f"{architecture}."),
        tensors=tensors,
    )


def _weights(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _digest(source: Bytes, entry: Entry | None) -> str | None:
    return hashlib.sha256(source.data[entry.start : entry.end]).hexdigest() if entry else None


def _lists(source: Bytes, raw: RawFile, start: str) -> dict[str, tuple[int, ...]]:
    """The arrays of whole numbers or truth values whose key begins with ``start``."""
    return {
        key: tuple(
            map(
                int, struct.unpack_from(f"<{entry.count}{SCALARS[entry.item_type]}", source.data, entry.start)
            )
        )
        for key, entry in raw.entries.items()
        if key.startswith(start)
        and entry.value_type == ARRAY
        and entry.count <= _MOST_LAYERS
        and SCALARS.get(entry.item_type, "f") not in "fd"
    }


def _number(source: Bytes, raw: RawFile, key: str, default: int | None, least: int) -> int:
    """A whole number of at least ``least``; of an array (one value per layer) the largest."""
    entry = raw.entries.get(key)
    if entry is None:
        if default is None:
            raise broken(source.path, f"the key {key!r} is missing")
        return default
    item_type = entry.item_type if entry.value_type == ARRAY else entry.value_type
    if SCALARS.get(item_type, "f") in "f?d" or not 1 <= entry.count <= 1 << 16:
        raise broken(source.path, f"{key!r} is not a whole number")
    value = int(max(struct.unpack_from(f"<{entry.count}{SCALARS[item_type]}", source.data, entry.start)))
    if value < least:
        raise broken(source.path, f"{key!r} is {value}; it must be at least {least}")
    return value


def _value(source: Bytes, entry: Entry) -> Scalar:
    if entry.value_type == STRING:
        try:
            return source.data[entry.start + 8 : entry.end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise broken(source.path, f"the value of {entry.key!r} is not UTF-8") from error
    return cast(Scalar, struct.unpack_from("<" + SCALARS[entry.value_type], source.data, entry.start)[0])


def rewrite_header(source: Path, target: Path, changes: Mapping[str, Scalar | list[str] | bytes | None]) -> None:
    """Copy ``source`` to ``target`` with metadata keys set, added or (None) removed; the weights stay as they
    are.

    The same input gives the same bytes: general.architecture first, every other key in sorted order. A number keeps the
    type its key had; a new whole number becomes u32 (i64 if it does not fit), a new fraction f32. Bytes are used
    unchanged: a value with its type, as the file stores it. The target is written atomically and may be the source
    itself. Raises ModelFileError for an invalid source, InputError for an impossible change.
    """
    with opened(source) as data:
        raw = read_raw(data)
        head = header_bytes(data, raw, changes, data.data[raw.tensors_start : raw.tensors_end])
        _write(data, raw, head, target)
    read_header(target)


def header_bytes(
    data: Bytes, raw: RawFile, changes: Mapping[str, Scalar | list[str] | bytes | None], descriptions: bytes
) -> bytes:
    """A header with the metadata of ``raw``, changed as in ``rewrite_header``, and the tensors' ``descriptions``.

    Padding to the alignment is not included. Raises InputError for an impossible change.
    """
    for forbidden in ("general.alignment", "general.architecture"):
        if forbidden in changes:
            raise InputError(f"{forbidden} cannot be rewritten: the weights depend on it")
    values = {key: _stored(data, entry) for key, entry in raw.entries.items()}
    for key, change in changes.items():
        if change is None:
            values.pop(key, None)
        else:
            values[key] = encoded(key, change, raw.entries.get(key))
    start = b"GGUF" + struct.pack("<IQQ", raw.version, len(raw.tensors), len(values))
    keys = sorted(values, key=lambda name: (name != "general.architecture", name))
    return start + b"".join(string(key) + values[key] for key in keys) + descriptions


def descriptions(raw: RawFile, types: Mapping[str, str]) -> bytes:
    """The descriptions of the tensors of ``raw``, in its order, with the types of those in ``types`` changed and the
    places that follow from it.
    """
    found, offset = [], 0
    for tensor in raw.tensors:
        type_name = types.get(tensor.name, tensor.type_name)
        block, block_bytes = BLOCKS[type_name]
        found.append(string(tensor.name))
        found.append(struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape))
        found.append(struct.pack("<IQ", NUMBERS[type_name], offset))
        size = math.prod(tensor.shape) // block * block_bytes
        offset += size + -size % raw.alignment
    return b"".join(found)


def _stored(data: Bytes, entry: Entry) -> bytes:
    """Type number and value exactly as stored."""
    head = struct.pack("<I", entry.value_type)
    if entry.value_type == ARRAY:
        head += struct.pack("<IQ", entry.item_type, entry.count)
    return head + data.data[entry.start : entry.end]


def _write(data: Bytes, raw: RawFile, head: bytes, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as out:
        part = Path(out.name)
        try:
            _write_parts(out, data, raw, head)
            out.flush()
            os.fsync(out.fileno())
            part.chmod(0o644)
            part.replace(target)
        except OSError as error:
            raise ModelFileError(
                f"{target} cannot be written: {error.strerror or error}",
                safe="No incomplete file was left.", remedy=remedy_for(error), again=AGAIN,
            ) from error  # fmt: skip
        finally:
            part.unlink(missing_ok=True)


def _write_parts(out: IO[bytes], data: Bytes, raw: RawFile, head: bytes) -> None:
    out.write(head + b"\0" * (-len(head) % raw.alignment))
    with data.path.open("rb") as source:
        copy_bytes(source, out, raw.data_start, raw.size_bytes)
