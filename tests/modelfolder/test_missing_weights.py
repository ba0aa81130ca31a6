"""Weights that are missing from a model folder, found by names alone before torch is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foldersamples import Tensors, change, edit_json, refusal, rename

from zoo.modelfolder import missing
from zoo.modelfolder.inspection import inspect

DOWN = "model.layers.1.mlp.down_proj.weight"


def with_head(folder: Path) -> Path:
    edit_json(folder, "config.json", tie_word_embeddings=False)
    return change(folder, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].copy()}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.pop("lm_head.weight"), "1 weight that the architecture needs is missing: lm_head.weight"),
        (lambda t: t.pop("model.embed_tokens.weight"), "missing: model.embed_tokens.weight"),
        (lambda t: t.pop("model.norm.weight"), "missing: model.norm.weight"),
        (lambda t: t.pop(DOWN), f"missing: {DOWN}"),
        (lambda t: [t.pop(n) for n in list(t) if "layers.1." in n], "9 weights that the architecture needs are"),
        (lambda t: [t.pop(n) for n in list(t) if "layers.0." in n], "9 weights that the architecture needs are"),
    ],
)
def test_a_lost_weight_is_named(spoil: Callable[[Tensors], Any], words: str, folder: Path) -> None:
    inspect(with_head(folder))
    assert words in refusal(change(folder, spoil)).what


def test_the_number_of_layers_counts(folder: Path) -> None:
    error = refusal(edit_json(folder, "config.json", num_hidden_layers=3))
    assert "missing: model.layers.2.input_layernorm.weight" in error.what
    assert "(num_hidden_layers: 3, model_type: llama)" in error.remedy


@pytest.mark.parametrize(
    "names",
    [
        lambda name: name.removeprefix("model."),
        lambda name: f"module.{name}",
        lambda name: name.replace("embed_tokens", "lm_head").removeprefix("model.") if "embed" in name else name,
    ],
)
def test_names_under_which_a_tied_model_is_complete(names: Callable[[str], str], folder: Path) -> None:
    inspect(rename(folder, names))


def test_of_other_names_families_and_formats_nothing_is_said(folder: Path) -> None:
    change(folder, lambda t: t.pop(DOWN))
    assert "missing" in refusal(folder).what
    edit_json(folder, "config.json", model_type="brandnew")
    inspect(folder)
    edit_json(folder, "config.json", model_type="llama")
    inspect(rename(folder, lambda name: name.replace("mlp", "feed")))
    config = {"model_type": "llama", "num_hidden_layers": 2}
    missing.refuse(config, ["transformer.h.0.attn.weight"], "m")
    missing.refuse({**config, "text_config": {}, "model_type": "mllama"}, ["model.norm.weight"], "m")


@pytest.mark.parametrize("family", missing.FAMILIES)
def test_the_list_of_weights_is_that_of_transformers(family: str) -> None:
    """A model of each family, built without numbers, has every weight that is asked for."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2,
             "num_hidden_layers": 6, "vocab_size": 32, "head_dim": 16, "pad_token_id": 0}  # fmt: skip
    config = transformers.AutoConfig.for_model(family, **sizes, tie_word_embeddings=False)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    names = list(model.state_dict())
    assert "lm_head.weight" in names
    missing.refuse({**sizes, "model_type": family, "tie_word_embeddings": False}, names, "m")
