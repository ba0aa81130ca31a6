"""The shape of every weight of every family follows from config.json, as transformers builds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import families
import pytest
from familyvariants import VARIANTS
from foldersamples import change, edit_json, refusal

from zoo.errors import ModelFileError
from zoo.modelfolder import configured, layernames, layershapes
from zoo.modelfolder.inspection import inspect
from zoo.modelfolder.weights import Stored

MORE: list[tuple[str, dict[str, Any]]] = [
    ("Phi-3", {"num_key_value_heads": 2}),
    ("GPT-2", {"n_inner": 96}),
    ("LFM2", {"block_auto_adjust_ff_dim": False}),
    ("LFM2", {"block_ffn_dim_multiplier": 1.3, "block_multiple_of": 32}),
    ("LFM2", {"conv_bias": True}),
    ("StableLM", {"num_key_value_heads": 1}),
    ("Falcon", {"ffn_hidden_size": 96}),
    ("GPT-NeoX (Pythia)", {"intermediate_size": 96}),
]


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping


def judge(config: Mapping[str, Any], found: Mapping[str, tuple[int, ...]]) -> None:
    stored = {name: Stored(name, "model.safetensors", "F16", shape) for name, shape in found.items()}
    configured.refuse_shapes(config, {}, stored)


@pytest.mark.parametrize(("family", "changes"), [*VARIANTS, *MORE], ids=str)
def test_each_weight_of_every_family_has_a_rule(family: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Of a tiny model as transformers saves it: complete it is accepted, and with one longer side refused."""
    pytest.importorskip("transformers")
    row = families.family(family)
    config, _ = families.saved(row, tmp_path, **changes)
    found = shapes(tmp_path)
    known, rule = layershapes.completed(config), layershapes.rule(config)
    assert {name: tuple(side.length(known) for side in rule(name) or ()) for name in found} == found
    as_published = {key: value for key, value in {**config, **row.old, **changes}.items() if value is not None}
    few = {key: value for key, value in config.items() if key not in ("head_dim", "ffn_hidden_size", "n_inner")}
    base = layernames.FAMILIES[config["model_type"]].base
    judge(as_published, found)
    judge(config, {name.removeprefix(base): shape for name, shape in found.items()})
    if not {"head_dim", "ffn_hidden_size", "n_inner"} & {*row.shape, *changes}:
        judge(few, found)
    for name, shape in found.items():
        for place in range(len(shape)):
            other = (*shape[:place], shape[place] + 1, *shape[place + 1 :])
            with pytest.raises(ModelFileError, match=re.escape(f"{name} is {' x '.join(map(str, other))} in")):
                judge(config, {**found, name: other})


def test_every_family_with_names_has_shapes() -> None:
    assert layershapes.FAMILIES.keys() == layernames.FAMILIES.keys()


@pytest.mark.parametrize(
    ("family", "key", "value", "words"),
    [
        ("GPT-NeoX (Pythia)", "intermediate_size", 256, "(intermediate_size: 256)"),
        ("Phi-3", "num_key_value_heads", 1, "num_key_value_heads: 1"),
        ("Falcon", "multi_query", False, "attention.query_key_value.weight is"),
        ("GPT-2", "n_positions", 4096, "transformer.wpe.weight is 1024 x 64 in the weights and 4096 x 64"),
        ("Qwen3-MoE", "moe_intermediate_size", 32, "(moe_intermediate_size: 32)"),
        ("LFM2", "conv_L_cache", 5, "(conv_L_cache: 5)"),
    ],
)
def test_the_check_of_a_folder_names_the_key(family: str, key: str, value: object, words: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = families.make(family, tmp_path / "m")
    inspect(folder)
    found = refusal(edit_json(folder, "config.json", **{key: value}))
    assert found.what.startswith("The weights do not fit config.json: ") and words in found.what
    assert found.where == "m/config.json"


def test_weights_of_an_image_encoder_are_not_judged(folder: Path) -> None:
    extra = {"vision_tower.encoder.layers.0.self_attn.q_proj.weight": (8, 8)}
    judge({"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}, extra)
    change(folder, lambda _: None)
    inspect(folder)
