"""The tokens of a GGUF file as texts."""

from __future__ import annotations

from pathlib import Path

from zoo.gguf.layout import ARRAY, STRING, Bytes, opened, read_raw

TOKENS = "tokenizer.ggml.tokens"


def token_texts(path: Path) -> list[str]:
    """The text of every token as it is stored, by id; empty for a file without tokens. Raises ModelFileError if it is
    not a valid GGUF file."""
    with opened(path) as source:
        entry = read_raw(source).entries.get(TOKENS)
        if entry is None or entry.value_type != ARRAY or entry.item_type != STRING:
            return []
        cursor = Bytes(source.data, path)
        cursor.at = entry.start
        return [cursor.text("a token") for _ in range(entry.count)]
