"""A config.json that contradicts itself or the shapes of the weights is refused by the small files and headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foldersamples import change, edit_json, refusal

from zoo.modelfolder.inspection import inspect

UP = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers is null; it must be a whole number above zero"),
        ({"num_attention_heads": 5}, "hidden_size is 64, which is not a multiple of num_attention_heads, 5"),
        ({"num_attention_heads": 5, "head_dim": None}, "hidden_size is 64, which is not a multiple of"),
        ({"num_key_value_heads": 3}, "num_attention_heads is 4, which is not a multiple of num_key_value_heads, 3"),
        ({"rope_theta": 0}, "rope_theta is 0; it must be above zero"),
        ({"rope_parameters": {"rope_theta": -1.0}}, "rope_theta is -1; it must be above zero"),
        ({"rope_scaling": {"type": "foo", "factor": 2.0}}, "rope_type is 'foo', which transformers does not have"),
        ({"rope_parameters": {"full_attention": {"rope_type": "foo"}}}, "rope_type is 'foo'"),
    ],
)
def test_values_of_which_no_model_can_be_built(changes: dict[str, Any], words: str, folder: Path) -> None:
    found = refusal(edit_json(folder, "config.json", **changes))
    assert words in found.what and found.where == "m/config.json"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vocab_size": 300}, "model.embed_tokens.weight is 355 x 64 in the weights and 300 x 64 by config.json"),
        ({"vocab_size": 400}, "(vocab_size: 400)"),
        ({"intermediate_size": 100}, "(intermediate_size: 100)"),
        ({"num_key_value_heads": 1}, "(num_key_value_heads: 1, head_dim: 16)"),
        ({"num_attention_heads": 8, "head_dim": 16}, "(num_attention_heads: 8, head_dim: 16)"),
        ({"hidden_size": 128}, "(hidden_size: 128)"),
    ],
)
def test_a_size_that_the_weights_do_not_have(changes: dict[str, Any], words: str, folder: Path) -> None:
    found = refusal(edit_json(folder, "config.json", **changes))
    assert found.what.startswith("The weights do not fit config.json: ") and words in found.what


def test_one_matrix_of_another_shape(folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({UP: np.ascontiguousarray(tensors[UP].T)}))
    found = refusal(folder)
    assert f"{UP} is 64 x " in found.what and "intermediate_size: " in found.what and "down_proj" not in found.what


@pytest.mark.parametrize("shape", [(32, 2), (64, 1)])
def test_a_norm_of_another_number_of_sides(shape: tuple[int, ...], folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({"model.norm.weight": np.ones(shape, np.float16)}))
    ours = " x ".join(map(str, shape))
    assert refusal(folder).what.endswith(
        f": model.norm.weight is {ours} in the weights and 64 by config.json (hidden_size: 64)"
    )


@pytest.mark.parametrize("part", ["self_attn.q_proj", "mlp.down_proj"])
def test_a_bias_that_the_settings_do_not_have(part: str, folder: Path) -> None:
    name = f"model.layers.0.{part}.bias"
    change(folder, lambda tensors: tensors.update({name: np.zeros(64, np.float16)}))
    found = refusal(folder)
    assert found.what == f"1 tensor of the source has no place in the architecture: {name}"
    assert "biases that config.json does not have (model_type, attention_bias, mlp_bias)" in found.remedy


def test_a_tensor_without_a_place_is_named_on_one_line(folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({"evil\nname": np.zeros(3, np.float16)}))
    found = refusal(folder)
    assert found.what == "1 tensor of the source has no place in the architecture: evil\\u000aname"


@pytest.mark.parametrize("changes", [{"head_dim": None}, {"rope_scaling": None}, {"model_type": "granite"}])
def test_what_is_right_or_not_stated_is_not_refused(changes: dict[str, Any], folder: Path) -> None:
    inspect(edit_json(folder, "config.json", **changes))


def test_a_key_with_two_values_is_refused_and_one_that_is_only_repeated_is_not(folder: Path) -> None:
    path = folder / "config.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{", '{"hidden_act": "silu", "rms_norm_eps": 1e-05,', 1), encoding="utf-8")
    inspect(folder)
    path.write_text(text.replace("{", '{"hidden_act": "relu",', 1), encoding="utf-8")
    found = refusal(folder)
    assert "key 'hidden_act' is written twice" in found.what and found.where == "m/config.json"
