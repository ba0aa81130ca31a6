"""Keys of config.json that llama.cpp's converter reads and transformers 5 no longer writes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import families
import pytest

pytest.importorskip("llama_cpp")
pytest.importorskip("transformers")

from zoo.gguf.header import read_header
from zoo.llama.convert.convert import convert
from zoo.llama.convert.oldkeys import restored


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("GPT-NeoX (Pythia)", {}, {"gptneox.rope.dimension_count": 4, "gptneox.context_length": 2048}),
        ("GPT-2", {}, {"gpt2.context_length": 1024, "gpt2.feed_forward_length": 256}),
        ("Falcon", {}, {"falcon.attention.head_count": 4, "falcon.attention.head_count_kv": 1}),
        (
            "Falcon",
            {"new_decoder_architecture": True, "num_kv_heads": 2},
            {"falcon.attention.head_count_kv": 2},
        ),
    ],
)
def test_the_converter_gets_what_it_reads(
    name: str, shape: dict[str, Any], expected: dict[str, int], tmp_path: Path
) -> None:
    """Of folders that transformers 5 saved, which is also what an import makes of a publisher's folder."""
    row = dataclasses.replace(families.family(name), old={})
    convert(families.make(row, tmp_path / "model", **shape), tmp_path / "m.gguf")
    found = read_header(tmp_path / "m.gguf").metadata
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "classes"), [("Phi-4-mini", ("TokenizersBackend", None)), ("Phi-3", (None,))], ids=["Phi-4-mini", "Phi-3"]
)
def test_a_phi3_is_converted_whatever_the_class_of_its_tokenizer(
    name: str, classes: tuple[str | None, ...], tmp_path: Path
) -> None:
    """transformers 5 writes TokenizersBackend for a byte-level tokenizer of Phi-3; its tokens are the same."""
    folder = families.make(name, tmp_path / "model")
    convert(folder, tmp_path / "plain.gguf", vocabulary_only=True)
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    del said["tokenizer_class"]
    for own in classes:
        path.write_text(json.dumps(said | ({"tokenizer_class": own} if own else {})), encoding="utf-8")
        convert(folder, tmp_path / "other.gguf", vocabulary_only=True)
        assert (tmp_path / "other.gguf").read_bytes() == (tmp_path / "plain.gguf").read_bytes(), own


def test_other_configurations_stay_as_they_are() -> None:
    config = {"model_type": "llama", "num_kv_heads": 7, "layer_types": ["full_attention"]}
    assert restored(config) == config
    assert restored({}) == {}
    published = {"model_type": "gpt_neox", "rotary_pct": 0.5, "rotary_emb_base": 500}
    assert restored(published) == published


def test_a_hybrids_layers_get_the_words_of_their_publisher() -> None:
    config = {
        "model_type": "granitemoehybrid",
        "layer_types": ["linear_attention", "full_attention", "mamba"],
    }
    assert restored(config)["layer_types"] == ["mamba", "attention", "mamba"]
    assert json.dumps(config).count("linear_attention") == 1
