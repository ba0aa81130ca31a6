"""Features that llama.cpp lacks are refused because of the small files, before anything is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tinymodel import make_tiny_llama

from zoo.errors import ModelFileError
from zoo.modelfolder import configured, ropes
from zoo.modelfolder.unsupported import refuse
from zoo.sources import facts

MISTRAL = {"model_type": "mistral", "max_position_embeddings": 1024}
STABLE = {"model_type": "stablelm"}
FALCON = {"model_type": "falcon"}
MOE = {"model_type": "qwen3_moe", "norm_topk_prob": True, "num_hidden_layers": 2, "decoder_sparse_step": 1}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**STABLE, "qk_layernorm": True}, "a norm for each head"),
        ({**MISTRAL, "sliding_window": 16}, "sliding_window is 16"),
        ({**MISTRAL, "sliding_window": 1023}, "sliding_window is 1023"),
        ({"model_type": "llama", "hidden_act": "relu"}, "hidden_act is relu: llama.cpp always computes SiLU"),
        ({"model_type": "gemma2", "hidden_activation": "silu"}, "hidden_activation is silu: .* GELU"),
        ({"model_type": "qwen3_moe", "norm_topk_prob": False}, "norm_topk_prob is not true"),
        ({"model_type": "qwen3_moe"}, "norm_topk_prob is not true"),
        ({**MOE, "mlp_only_layers": [0]}, r"layer 0 has no experts \(mlp_only_layers\)"),
        ({**MOE, "decoder_sparse_step": 3}, r"layer 0 has no experts \(decoder_sparse_step\)"),
        ({**MOE, "attention_bias": True}, "attention_bias is true: llama.cpp has no place for these biases"),
        ({**FALCON, "parallel_attn": False, "alibi": True}, "parallel_attn is false: .* second norm in each layer"),
        ({**FALCON, "alibi": True}, "alibi is true: llama.cpp always computes a Falcon model with rope"),
        ({**FALCON, "hidden_size": 64, "ffn_hidden_size": 96}, "ffn_hidden_size is 96: .* 4 times hidden_size, 256"),
        ({"model_type": "gpt2", "n_embd": 64, "n_inner": 96}, "n_inner is 96: .* 4 times n_embd, 256"),
        ({"model_type": "lfm2", "conv_bias": True}, "conv_bias is true"),
        ({**FALCON, "bias": True}, "bias is true: llama.cpp has no place for these biases in .* type falcon"),
        ({"model_type": "granitemoehybrid", "mamba_proj_bias": True}, "mamba_proj_bias is true"),
        ({"model_type": "granitemoehybrid", "mamba_conv_bias": False}, "mamba_conv_bias is false"),
        ({"model_type": "smollm3", "mlp_bias": True}, "mlp_bias is true"),
        ({"model_type": "qwen3", "attention_bias": True}, "attention_bias is true"),
        ({"use_bidirectional_attention": True}, "use_bidirectional_attention is true: .* vectors"),
        ({"text_config": {"use_bidirectional_attention": True}}, "use_bidirectional_attention is true"),
        ({"use_bidirectional_attention": "all"}, 'use_bidirectional_attention is "all"'),
        ({"is_causal": False}, "is_causal is false: every token of this model sees the tokens after it"),
    ],
)
def test_a_model_that_the_file_could_not_be_is_refused(
    config: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=said):
        refuse(config)
    folder = make_tiny_llama(tmp_path / "model")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **config}), encoding="utf-8")
    with pytest.raises(ModelFileError, match=said):
        facts.read(folder)


@pytest.mark.parametrize("config", [
    {"model_type": "qwen3_moe", "norm_topk_prob": True, "hidden_act": "swish"},
    {"model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "silu"},
    {"model_type": "gpt2", "activation_function": "gelu_new"}, {"model_type": "opt", "activation_function": "relu"},
    MOE, {**MOE, "mlp_only_layers": []}, {**MOE, "mlp_only_layers": [2]}, {**MOE, "num_local_experts": 4},
    FALCON, {**FALCON, "parallel_attn": True, "alibi": False, "hidden_size": 64, "ffn_hidden_size": 256},
    {"model_type": "gpt2", "n_embd": 64, "n_inner": None}, {"model_type": "llama", "attention_bias": True},
    {}, STABLE, {**STABLE, "qk_layernorm": False}, MISTRAL, {**MISTRAL, "sliding_window": None},
    {**MISTRAL, "sliding_window": 1024}, {**MISTRAL, "sliding_window": 4096},
    {"model_type": "gemma3_text", "sliding_window": 16, "max_position_embeddings": 1024},
    {"use_bidirectional_attention": False}, {"use_bidirectional_attention": None}, {"is_causal": True},
    {"use_bidirectional_attention": "vision"},
])  # fmt: skip
def test_others_are_not(config: dict[str, Any]) -> None:
    refuse(config)


LONG = {"rope_type": "longrope", "factor": 4.0, "short_factor": [1.0], "long_factor": [2.0]}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0}


@pytest.mark.parametrize(
    ("family", "rope", "said"),
    [
        ("llama", {"rope_scaling": LONG}, "rope_type is longrope"),
        ("llama", {"rope_scaling": {"type": "su"}}, "rope_type is su"),
        ("llama", {"rope_parameters": LLAMA3}, ""),
        ("qwen2", {"rope_parameters": LLAMA3}, "rope_type is llama3: .* in a model of the type qwen2"),
        ("qwen2", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, ""),
        ("gemma2", {"rope_scaling": {"type": "linear", "factor": 4.0}}, "rope_type is linear"),
        ("gemma3_text", {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}}}, ""),
        ("gemma3_text", {"rope_parameters": {"full_attention": LONG}}, "rope_type is longrope"),
        ("phi3", {"rope_scaling": LONG}, ""), ("another", {"rope_scaling": LONG}, ""), ("llama", {}, ""),
        ("llama", {"rope_scaling": None, "rope_parameters": {"rope_theta": 1e6}}, ""),
    ],
)  # fmt: skip
def test_a_rope_that_the_file_would_not_have_is_refused(family: str, rope: dict[str, Any], said: str) -> None:
    config = {"model_type": family, **rope}
    if not said:
        ropes.refuse(config)
        return
    with pytest.raises(ModelFileError, match=said) as caught:
        ropes.refuse(config)
    assert caught.value.where == "config.json" and caught.value.remedy


def test_a_folder_with_such_a_rope_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "model")
    path = folder / "config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), "rope_scaling": LONG}
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelFileError, match="rope_type is longrope"):
        facts.read(folder)


def test_only_kinds_that_transformers_has_are_listed() -> None:
    assert set().union(*ropes.LOST.values()) <= configured.ROPE_TYPES
