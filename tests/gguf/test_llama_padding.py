"""More rows than tokens: the file gets unused tokens, and llama.cpp loads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foldersamples import change, edit_json, sound

pytest.importorskip("llama_cpp")

from zoo.errors import ModelFileError
from zoo.gguf import header
from zoo.gguf.layout import opened, read_raw
from zoo.gguf.padding import padding
from zoo.llama import model
from zoo.llama.convert.convert import convert


def padded(folder: Path, rows: int) -> Path:
    """A tiny Llama with ``rows`` rows for its 355 tokens."""
    sound(folder)

    def grow(values: dict[str, np.ndarray]) -> None:
        embedding = values["model.embed_tokens.weight"]
        more = np.zeros((rows - len(embedding), embedding.shape[1]), np.float16)
        values["model.embed_tokens.weight"] = np.vstack([embedding, more])

    change(folder, grow)
    return edit_json(folder, "config.json", vocab_size=rows)


def tokens_of(path: Path) -> list[str]:
    with opened(path) as source:
        entry = read_raw(source).entries["tokenizer.ggml.tokens"]
        source.at = entry.start
        return [source.text("a token") for _ in range(entry.count)]


def test_every_row_gets_a_token_and_llama_cpp_loads_the_file(tmp_path: Path) -> None:
    raw, path = tmp_path / "raw.gguf", tmp_path / "model.gguf"
    convert(padded(tmp_path / "m", 384), raw)
    with pytest.raises(ModelFileError, match="cannot load"), model.Model.open(raw, threads=1, context_tokens=32):
        pass
    header.rewrite_header(raw, path, padding(raw))
    tokens = tokens_of(path)
    assert len(tokens) == len(set(tokens)) == 384 and tokens[355:357] == ["[PAD355]", "[PAD356]"]
    assert padding(path) == {} and header.read_header(path).vocabulary_size == 384
    with model.Model.open(path, threads=1, context_tokens=32):
        pass


def test_a_file_with_a_token_for_each_row_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    convert(sound(tmp_path / "m"), path)
    assert padding(path) == {}
