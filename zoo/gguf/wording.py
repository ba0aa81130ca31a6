"""The wording of a model file: header keys that people read and that no program computes with.

Everything before a release works on files without these keys, so that other words or another version need no new
quantization and no new measurement. ``place`` adds them when a release is assembled. The header has one form (see
``header_bytes``), so removing the keys again gives the measured file, byte for byte: ``unworded_sha256`` is its digest.

``general.name`` is not among them: llama.cpp decides by it how it splits text around the end tokens of Phi-3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from zoo.gguf.header import header_bytes, rewrite_header
from zoo.gguf.layout import Bytes, RawFile, Scalar, opened, read_raw

PHI3_NAMES = ("phi-3", "phi3")
"""With one of these in a name, whatever its model, llama.cpp changes tokens that it looks up by their text:"""
PHI3_TOKENS = ("</s>", "<unk>", "<s>", "<|endoftext|>")
"""Without one of them it does not open the file (``_set_token_attr`` in its ``llama-vocab.cpp``)."""
PHI3_KEEPS = frozenset(["<unk>", "<s>", "<|endoftext|>"])
"""It lets the markers of such a file absorb the space after them, but not these."""

KEYS = (
    "general.version",
    "general.license",
    "general.description",
    "general.languages",
    "general.base_model.count",
    "general.base_model.0.name",
    "general.base_model.0.organization",
    "general.base_model.0.repo_url",
)
"""The keys, in llama.cpp's names. A released file has no other key that its measured file lacks."""

Words = Mapping[str, Scalar | list[str]]
_READ_BYTES = 1 << 22


def place(source: Path, target: Path, words: Words) -> None:
    """Copy a file to ``target`` with ``words`` as its wording; atomically, the weights unchanged.

    Raises ModelFileError for an invalid source, or if the target cannot be written.
    """
    assert set(words) <= set(KEYS)
    rewrite_header(source, target, {**removed(), **words})


def placed_bytes(source: Path, words: Words) -> int:
    """Size of the file that ``place`` would write. Raises ModelFileError if the source is not a valid GGUF."""
    with opened(source) as data:
        raw = read_raw(data)
        head = header_bytes(data, raw, {**removed(), **words}, data.data[raw.tensors_start : raw.tensors_end])
        return len(head) + -len(head) % raw.alignment + raw.size_bytes - raw.data_start


def removed() -> dict[str, None]:
    """The changes for ``rewrite_header`` that remove the wording."""
    return dict.fromkeys(KEYS)


def unworded_sha256(path: Path) -> str:
    """sha256 of the file as it was before its wording was added. Raises ModelFileError if it is not a valid GGUF."""
    with opened(path) as source:
        raw = read_raw(source)
        sha256 = hashlib.sha256(_unworded_head(source, raw))
        for chunk in _weights(source, raw):
            sha256.update(chunk)
    return sha256.hexdigest()


def _unworded_head(source: Bytes, raw: RawFile) -> bytes:
    head = header_bytes(source, raw, removed(), source.data[raw.tensors_start : raw.tensors_end])
    return head + b"\0" * (-len(head) % raw.alignment)


def _weights(source: Bytes, raw: RawFile) -> Iterator[memoryview]:
    with memoryview(source.data) as data:
        for start in range(raw.data_start, raw.size_bytes, _READ_BYTES):
            with data[start : min(start + _READ_BYTES, raw.size_bytes)] as chunk:
                yield chunk
