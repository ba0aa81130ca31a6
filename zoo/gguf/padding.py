"""Unused tokens for rows of the embedding that no token of the model has.

Embeddings are often padded to a multiple of 64 or 128 rows. llama.cpp requires as many tokens as rows. Its converter
adds unused tokens for most kinds of tokenizers; this module does the same for the others.
"""

from __future__ import annotations

import struct
from pathlib import Path

from zoo.gguf.layout import ARRAY, STRING, Bytes, RawFile, opened, read_raw

EMBEDDING = "token_embd.weight"
TOKENS, SCORES, TYPES = (f"tokenizer.ggml.{name}" for name in ("tokens", "scores", "token_type"))
UNUSED_TYPE = 5
"""LLAMA_TOKEN_TYPE_UNUSED of llama.h."""
UNUSED_SCORE = -1000.0
"""The converter's own score for its unused tokens: no text is split into them."""


def padding(path: Path) -> dict[str, bytes]:
    """Changes for ``rewrite_header`` that give every row of the embedding a token; empty if all have one.

    Raises ModelFileError for a file that is not a valid GGUF.
    """
    with opened(path) as source:
        raw = read_raw(source)
        missing = _rows(raw) - (raw.entries[TOKENS].count if TOKENS in raw.entries else 0)
        if TOKENS not in raw.entries or missing <= 0:
            return {}
        first = raw.entries[TOKENS].count
        names = [f"[PAD{first + number}]".encode() for number in range(missing)]
        more = {
            TOKENS: b"".join(struct.pack("<Q", len(name)) + name for name in names),
            SCORES: struct.pack("<f", UNUSED_SCORE) * missing,
            TYPES: struct.pack("<i", UNUSED_TYPE) * missing,
        }
        return {key: _longer(source, raw, key, missing, tail) for key, tail in more.items() if key in raw.entries}


def _rows(raw: RawFile) -> int:
    return next((tensor.shape[1] for tensor in raw.tensors if tensor.name == EMBEDDING and len(tensor.shape) > 1), 0)


def _longer(source: Bytes, raw: RawFile, key: str, missing: int, tail: bytes) -> bytes:
    """The array ``key`` with more items, as a GGUF file stores it: type, item type, count, items."""
    entry = raw.entries[key]
    assert entry.item_type in (STRING, 5, 6)
    head = struct.pack("<IIQ", ARRAY, entry.item_type, entry.count + missing)
    return head + source.data[entry.start : entry.end] + tail
