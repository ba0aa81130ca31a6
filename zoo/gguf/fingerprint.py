"""A fingerprint of a GGUF file: a digest of every tensor and of every key of its header."""

from __future__ import annotations

import hashlib
from pathlib import Path

from zoo.gguf.layout import opened, read_raw


def digests(path: Path) -> dict[str, object]:
    """``tensors``: name, type and sha256 of the stored bytes, in the order of the file; ``keys``: sha256 of the value
    of every header key as it is stored, sorted by name.

    Two files with the same digests hold the same model; they may still differ in padding or in the order of keys.
    Reads the complete file. Raises ModelFileError for a file that is not a valid GGUF.
    """
    with opened(path) as source:
        raw = read_raw(source)
        tensors = []
        for tensor in raw.tensors:
            start = raw.data_start + tensor.offset
            sha256 = hashlib.sha256()
            for place in range(start, start + tensor.size_bytes, 1 << 22):
                sha256.update(source.data[place : min(place + (1 << 22), start + tensor.size_bytes)])
            tensors.append({"name": tensor.name, "type": tensor.type_name, "sha256": sha256.hexdigest()})
        keys = {
            key: hashlib.sha256(
                bytes([entry.value_type, entry.item_type & 0xFF]) + source.data[entry.start : entry.end]
            ).hexdigest()
            for key, entry in sorted(raw.entries.items())
        }
    return {"tensors": tensors, "keys": keys}


FORMAT = "zoo-tensors/1"
"""Of the evidence file ``tensors.json``: digests of every released file's tensors and header keys, by path."""
