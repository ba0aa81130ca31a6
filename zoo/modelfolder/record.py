"""source.json: facts of the source, for checking everything made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog import jsontext
from zoo.files.digests import pretty_json, sha256_file
from zoo.files.whole import write_atomic
from zoo.modelfolder.inspection import Inspected, end_tokens

FILE = "source.json"
FORMAT = "zoo-source/1"
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")


def of_folder(found: Inspected) -> dict[str, Any]:
    """The record of a model folder."""
    config = found.text_config
    context = next((config[key] for key in CONTEXT_KEYS if isinstance(config.get(key), int)), None)
    return {
        "format": FORMAT,
        "kind": "folder",
        "files": {name: sha256_file(path) for name, path in found.files.items() if name not in found.shards},
        "quantized": found.quantized,
        "end_tokens": end_tokens(found.small, found.vocabulary),
        "tokenizer": {
            "vocabulary_size": found.vocabulary.size,
            "normalizers": list(found.vocabulary.normalizers),
            "model_type": found.vocabulary.model_type,
        },
        "embedding_rows": found.rows,
        "context_tokens": context,
        "architecture": (found.config.get("architectures") or [None])[0],
        "renamed": [dict(rule) for rule in found.rules],
        "notes": list(found.notes),
    }


def of_gguf(
    metadata: Mapping[str, Any], *, vocabulary_size: int, context_tokens: int, rows: int | None,
    quantized: str | None, notes: Sequence[str], facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The record of a GGUF file, from the single values of its metadata. quantized: its most used small type.

    facts: more of its vocabulary (``zoo.gguf.vocabfacts``).
    """
    keys = ("eos", "eot", "eom")
    ends = {f"tokenizer.ggml.{key}_token_id": metadata.get(f"tokenizer.ggml.{key}_token_id") for key in keys}
    return {
        "format": FORMAT,
        "kind": "gguf",
        "files": {},
        "quantized": quantized,
        "end_tokens": [
            {"id": number, "file": key} for key, number in ends.items() if isinstance(number, int)
        ],
        "tokenizer": {
            "vocabulary_size": vocabulary_size,
            "normalizers": [],
            "model_type": metadata.get("tokenizer.ggml.model"),
            **(facts or {}),
        },
        "embedding_rows": rows,
        "context_tokens": context_tokens,
        "architecture": metadata.get("general.architecture"),
        "renamed": [],
        "notes": list(notes),
    }


def read(folder: Path) -> dict[str, Any]:
    """The content of ``source.json`` of an imported folder; empty where there is none."""
    path = folder / FILE
    found: dict[str, Any] = jsontext.read(path, bounded=False) if path.is_file() else {}
    return found


def write(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``source.json`` into ``folder``, atomically."""
    write_atomic(folder / FILE, pretty_json(record))
