"""The figures of a model as it was built, whatever its config.json calls them."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.judge.parity.parameters import first_difference
from zoo.judge.parity.seen import Parameter

transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 10_000.0}


def differs(config: Any, **header: float | str) -> str | None:
    """The first difference between a random model of ``config`` and a header with these values."""
    from zoo.training.shapes import parameters

    model = transformers.AutoModelForCausalLM.from_config(config)
    theirs = {key.replace("__", "."): Parameter(f"x.{key}", value) for key, value in header.items()}
    return first_difference(parameters(model), theirs)


def config(name: str, **more: Any) -> Any:
    return getattr(transformers, f"{name}Config")(**{**SMALL, **more})


CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # The matrices of LFM2 are 2/3 of the key wide, rounded up to 256.
    ("Lfm2", {"block_ff_dim": 128, "full_attn_idxs": [1], "conv_L_cache": 3},
     {"feed_forward_length": 256, "attention__layer_norm_rms_epsilon": 1e-5, "attention__key_length": 16},
     {"feed_forward_length": 300, "attention__layer_norm_rms_epsilon": 1e-6}),
    ("GPT2", {},
     {"feed_forward_length": 256, "context_length": 256, "block_count": 2, "attention__head_count": 4,
      "attention__layer_norm_epsilon": 1e-5, "rope__dimension_count": 16},
     {"context_length": 512, "block_count": 3, "attention__layer_norm_epsilon": 1e-6}),
    ("GPT2", {"n_inner": 80}, {"feed_forward_length": 80},
     {"feed_forward_length": 160}),
    ("GPTNeoX", {"rope_parameters": {**ROPE, "partial_rotary_factor": 0.25}},
     {"rope__dimension_count": 4, "attention__layer_norm_epsilon": 1e-5, "feed_forward_length": 128},
     {"rope__dimension_count": 16}),
    ("StableLm", {"rope_parameters": {**ROPE, "partial_rotary_factor": 0.5}},
     {"rope__dimension_count": 8, "attention__layer_norm_epsilon": 1e-5}, {"rope__dimension_count": 16}),
    ("Falcon", {"new_decoder_architecture": False, "alibi": False},
     {"feed_forward_length": 256, "attention__head_count": 4, "attention__layer_norm_epsilon": 1e-5},
     {"feed_forward_length": 160}),
    ("Qwen3Moe", {"head_dim": 32, "moe_intermediate_size": 48, "num_experts": 4, "num_experts_per_tok": 2},
     {"expert_feed_forward_length": 48, "attention__key_length": 32}, {"expert_feed_forward_length": 80}),
    ("Granite", {}, {"attention__key_length": 16, "embedding_length": 64}, {"attention__key_length": 32}),
    ("Olmo2", {}, {"attention__layer_norm_rms_epsilon": 1e-5}, {"attention__layer_norm_rms_epsilon": 1e-6}),
    ("Phi3", {"sliding_window": 64}, {"feed_forward_length": 128, "attention__sliding_window": 64},
     {"attention__sliding_window": 0}),
    ("Gemma2", {"head_dim": 32, "sliding_window": 64}, {"attention__key_length": 32, "attention__sliding_window": 64},
     {"attention__sliding_window": 128}),
    ("Gemma3Text", {"head_dim": 32, "sliding_window": 64},
     {"attention__key_length": 32, "rope__freq_base": 1e6, "rope__freq_base_swa": 1e4, "rope__dimension_count": 32},
     {"rope__freq_base": 1e4, "rope__freq_base_swa": 1e6}),
    ("Mistral", {"sliding_window": 64, "head_dim": None}, {"attention__key_length": 16, "rope__dimension_count": 16},
     {"attention__sliding_window": 32}),
    ("Llama", {"rope_parameters": {**ROPE, "rope_type": "linear", "factor": 2.0}},
     {"rope__scaling__type": "linear", "rope__scaling__factor": 2.0, "vocab_size": 96, "output__weight": "its own"},
     {"rope__scaling__factor": 4.0, "vocab_size": 95, "rope__scaling__type": "none",
      "output__weight": "the embedding"}),
]  # fmt: skip


@pytest.mark.parametrize(("family", "more", "right", "wrong"), CASES)
def test_figures_are_those_of_the_modules(
    family: str, more: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert differs(config(family, **more), **right) is None
    for key, value in wrong.items():
        said = differs(config(family, **more), **{key: value})
        assert said is not None and f"x.{key} is " in said, key


def test_a_value_of_several_is_shown_with_all_of_them() -> None:
    ours = {"a": Parameter("a width", frozenset((64.0, 128.0)))}
    assert first_difference(ours, {"a": Parameter("x.a", 128)}) is None
    expected = "a width is 64 or 128 in the folder, x.a is 65 in the file"
    assert first_difference(ours, {"a": Parameter("x.a", 65)}) == expected
