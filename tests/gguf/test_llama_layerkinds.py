"""Layers that see a window only: what the folder says, what the file says, and what llama.cpp then computes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import families
import pytest
from tinyarch import make_tiny_arch

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

import transformers

from zoo.errors import ModelFileError
from zoo.gguf import caches, layerkinds
from zoo.gguf.header import read_header, rewrite_header
from zoo.judge.parity.distance import relative_errors
from zoo.llama.convert.convert import convert
from zoo.llama.measure.widened import exact_logits
from zoo.modelfolder.unsupported import refuse
from zoo.progress import Silent
from zoo.training.ggufconstants import settle_windows
from zoo.training.importing import import_model
from zoo.training.layers import prune
from zoo.training.parity import look
from zoo.training.shapes import parameters

EXPERTS = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 128}
KEPT = (0, 1, 2, 5)
"""Of Gemma 3's six layers, of which the last alone sees everything; llama.cpp's pattern has no such layer in four."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma 3 with a small vocabulary."""
    texts: dict[str, Any] = {"begin": "<s>", "end": "</s>", "pad": None, "template": None}
    row = dataclasses.replace(families.family("Gemma 3"), vocabulary=families.LLAMA2, ends=(), **texts)
    return families.make(row, tmp_path_factory.mktemp("kinds") / "whole")


@pytest.fixture(scope="module")
def pruned(whole: Path) -> Path:
    folder = whole.parent / "pruned"
    import_model(whole, folder, Silent(), layers=KEPT)
    return folder


@pytest.fixture(scope="module")
def file(pruned: Path) -> Path:
    """The pruned folder as the converter writes it."""
    convert(pruned, pruned.parent / "raw.gguf")
    return pruned.parent / "raw.gguf"


def config_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return found


def test_a_pruned_model_lists_its_layers_and_llama_cpp_follows(pruned: Path, file: Path, tmp_path: Path) -> None:
    assert caches.windowed(read_header(file)) == [True] * 4
    changes = layerkinds.stated(read_header(file), config_of(pruned))
    rewrite_header(file, tmp_path / "made.gguf", changes)
    assert caches.windowed(read_header(tmp_path / "made.gguf")) == [True, True, True, False]
    assert layerkinds.stated(read_header(tmp_path / "made.gguf"), config_of(pruned)) == {}
    folder = look(pruned, "f16", threads=1)

    def worst(path: Path) -> float:
        theirs = exact_logits(path, folder.texts, tmp_path, threads=1)
        return max(float(relative_errors(a, b).max()) for a, b in zip(folder.logits, theirs, strict=True))

    assert worst(tmp_path / "made.gguf") < 0.01 < 0.1 < worst(file)


def test_the_complete_model_needs_no_list(whole: Path, file: Path) -> None:
    """Six of the four-layer file's layers would be five with a window and one without, as llama.cpp takes them."""
    header = dataclasses.replace(read_header(file), block_count=6)
    assert layerkinds.stated(header, config_of(whole)) == {}


def test_a_gguf_source_keeps_the_layers_that_it_lists(pruned: Path, file: Path, tmp_path: Path) -> None:
    changes = layerkinds.stated(read_header(file), config_of(pruned))
    rewrite_header(file, tmp_path / "made.gguf", changes)
    done = import_model(tmp_path / "made.gguf", tmp_path / "again", Silent())
    assert config_of(tmp_path / "again")["layer_types"] == config_of(pruned)["layer_types"]
    assert any("layers with a sliding window" in note and "0, 1, 2" in note for note in done.notes)


def test_the_usual_layers_of_a_gguf_source_need_no_note() -> None:
    config = transformers.Gemma2Config(num_hidden_layers=4)
    model = SimpleNamespace(config=config)
    assert settle_windows(model, None) == settle_windows(model, [True]) == []
    assert settle_windows(model, [True, False, True, False]) == []
    (note,) = settle_windows(model, [False, True, True, False])
    assert note.endswith("1, 2") and config.layer_types[1:3] == ["sliding_attention"] * 2
    assert settle_windows(SimpleNamespace(config=transformers.LlamaConfig()), [True]) == []


@pytest.mark.parametrize(
    ("architecture", "keys", "kinds", "expected"),
    [
        ("gemma2", {"attention.sliding_window": 64}, "sfsf", None),
        ("gemma2", {"attention.sliding_window": 64}, "ffss", [False, False, True, True]),
        ("gemma2", {"attention.sliding_window": 64}, "ssss", [True] * 4),
        # llama.cpp cannot load a list without a window; the parity check refuses it.
        ("gemma2", {"attention.sliding_window": 64}, "ffff", None),
        ("cohere2", {"attention.sliding_window": 64, "logit_scale": 0.1}, "sfss", [True, False, True, True]),
        ("gpt-oss", {"attention.sliding_window": 64, **EXPERTS}, "fsfs", [False, True, False, True]),
        ("gemma3", {}, "sssf", None),
        ("llama", {}, "sfsf", None),
        ("gemma2", {"attention.sliding_window": 64}, "sf", None),
    ],
)
def test_what_is_written(
    architecture: str, keys: dict[str, Any], kinds: str, expected: list[bool] | None, tmp_path: Path
) -> None:
    header = read_header(make_tiny_arch(tmp_path / "m.gguf", architecture, {"block_count": 4, **keys}))
    words = {"s": "sliding_attention", "f": "full_attention"}
    config = {"layer_types": [words[kind] for kind in kinds]}
    changes = layerkinds.stated(header, config)
    assert changes == layerkinds.stated(header, {"text_config": config})
    if expected is None:
        assert changes == {}
        return
    rewrite_header(tmp_path / "m.gguf", tmp_path / "m.gguf", changes)
    assert caches.windowed(read_header(tmp_path / "m.gguf")) == expected


def test_parity_compares_the_layers(pruned: Path) -> None:
    """A window that is longer than the texts does not change logits."""
    model = transformers.AutoModelForCausalLM.from_pretrained(pruned)
    assert parameters(model)[layerkinds.KEY].value == "0, 1, 2"


@pytest.mark.parametrize(
    ("kept", "fits"), [((0, 1, 2, 3), True), ((1, 2, 3), False), ((4, 5, 6, 7, 0), True), ((0, 3), False)]
)
def test_layers_of_smollm3_stay_where_llama_cpp_looks_for_them(kept: tuple[int, ...], fits: bool) -> None:
    sizes = {"vocab_size": 8, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "pad_token_id": 0}
    config = transformers.SmolLM3Config(**sizes, num_key_value_heads=1, num_hidden_layers=8)
    model = transformers.AutoModelForCausalLM.from_config(config)
    prune(model, kept)
    if fits:
        refuse(model.config.to_dict())
        return
    with pytest.raises(ModelFileError, match=r"of a SmolLM3 model and of no other") as error:
        refuse(model.config.to_dict())
    assert "student.layers" in error.value.remedy


def test_a_pruned_import_is_refused_before_anything_is_learnt(tmp_path: Path) -> None:
    row = dataclasses.replace(families.family("SmolLM3"), vocabulary=families.family("GPT-2").vocabulary)
    texts: dict[str, Any] = {"begin": None, "end": "<|endoftext|>", "pad": None, "template": None}
    folder = families.make(dataclasses.replace(row, **texts), tmp_path / "whole")
    with pytest.raises(ModelFileError, match="layer 1 has no rope"):
        import_model(folder, tmp_path / "out", Silent(), layers=(0, 3))


def test_a_smollm3_that_its_maker_built_otherwise_is_refused() -> None:
    refuse({"model_type": "smollm3"})
    refuse({"model_type": "smollm3", "no_rope_layers": [1, 1, 1, 0, 1]})
    with pytest.raises(ModelFileError, match="layer 3 has rope"):
        refuse({"model_type": "smollm3", "no_rope_layers": [1, 1, 1, 1]})
    with pytest.raises(ModelFileError, match="layer 1 has no rope"):
        refuse({"model_type": "smollm3", "no_rope_layers": [1, 0, 1, 0]})
