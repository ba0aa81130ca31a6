"""Weights that are missing from a model folder, found by names alone before torch is needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import families
import pytest
from familyvariants import VARIANTS
from foldersamples import Tensors, change, edit_json, refusal, rename

from zoo.errors import ModelFileError
from zoo.modelfolder import layernames, missing
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


@pytest.mark.parametrize(("family", "changes"), VARIANTS, ids=str)
def test_each_weight_of_every_family_is_missed(family: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Of a tiny model as transformers saves it: complete it is accepted, and without any one weight refused."""
    pytest.importorskip("transformers")
    row = families.family(family)
    config, names = families.saved(row, tmp_path, **changes)
    for said in (config, {key: value for key, value in {**config, **row.old}.items() if value is not None}):
        missing.refuse(said, names, "m")
    base = layernames.FAMILIES[config["model_type"]].base
    missing.refuse(config, [name.removeprefix(base) for name in names], "m")
    for lost in names:
        with pytest.raises(ModelFileError, match=f"missing: {re.escape(lost)}\\. "):
            missing.refuse(config, [name for name in names if name != lost], "m")


@pytest.mark.parametrize(
    ("family", "changes", "other", "part"),
    [
        ("StableLM", {"use_qkv_bias": True}, {"use_qkv_bias": False}, "self_attn.k_proj.bias"),
        ("GPT-NeoX (Pythia)", {}, {"attention_bias": False}, "attention.dense.bias"),
        ("StableLM", {"use_parallel_residual": False}, {"use_parallel_residual": True}, "post_attention_layernorm"),
        ("Falcon", {"parallel_attn": False}, {"parallel_attn": True}, "h.0.post_attention_layernorm"),
    ],
)
def test_weights_that_a_setting_excludes(
    family: str, changes: dict[str, Any], other: dict[str, Any], part: str, tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    config, names = families.saved(families.family(family), tmp_path, **changes)
    missing.refuse(config, names, "m")
    with pytest.raises(ModelFileError, match=rf"have no place in the architecture: .*{re.escape(part)}"):
        missing.refuse({**config, **other}, names, "m")


def test_every_family_of_the_documentation_has_a_row() -> None:
    transformers = pytest.importorskip("transformers")
    of_page = {getattr(transformers, family.config).model_type for family in families.FAMILIES}
    assert layernames.FAMILIES.keys() - of_page == {"gemma"}
    assert of_page <= layernames.FAMILIES.keys()


@pytest.mark.parametrize("family", ["gemma"])
def test_a_family_that_the_page_leaves_out(family: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2,
             "num_hidden_layers": 2, "vocab_size": 32, "head_dim": 16, "pad_token_id": 0}  # fmt: skip
    config = transformers.AutoConfig.for_model(family, **sizes, tie_word_embeddings=False)
    with torch.device("meta"):
        names = list(transformers.AutoModelForCausalLM.from_config(config).state_dict())
    said = {**sizes, "model_type": family, "tie_word_embeddings": False}
    missing.refuse(said, names, "m")
    for lost in names:
        with pytest.raises(ModelFileError, match="missing"):
            missing.refuse(said, [name for name in names if name != lost], "m")


def test_the_check_of_a_folder_names_it(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    lost = "gpt_neox.layers.1.mlp.dense_h_to_4h.weight"
    folder = families.make("GPT-NeoX (Pythia)", tmp_path / "m")
    inspect(folder)
    assert f"missing: {lost}" in refusal(change(folder, lambda t: t.pop(lost))).what


def test_a_layer_of_an_unknown_kind_says_nothing() -> None:
    config = {"model_type": "granitemoehybrid", "num_hidden_layers": 2, "layer_types": ["mamba"]}
    missing.refuse(config, ["model.norm.weight"], "m")


def test_a_number_of_layers_without_end_is_answered_soon() -> None:
    config = {"model_type": "llama", "num_hidden_layers": 10**12}
    with pytest.raises(ModelFileError, match="missing"):
        missing.refuse(config, ["model.norm.weight"], "m")
