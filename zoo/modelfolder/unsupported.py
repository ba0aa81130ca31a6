"""Features of a configuration that llama.cpp or its converter does not support: reported before anything is made.

Checked against llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from zoo.errors import ModelFileError
from zoo.modelfolder.depth import KEYS
from zoo.modelfolder.files import CONFIG

ROPE_INTERVAL = 4
"""SmolLM3: llama.cpp leaves the rope out of every fourth layer, whatever the configuration says
(``n_no_rope_layer_step`` in its ``models/smollm3.cpp``)."""


SILU = frozenset(("silu", "swish"))
GATED = frozenset((
    "granite", "lfm2", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3", "stablelm",
))  # fmt: skip
"""Values of model_type that llama.cpp always computes with SiLU, whatever the configuration says."""
GELU = frozenset(("falcon", "gemma", "gemma2", "gemma3_text", "gpt2", "gpt_neox"))
"""Those that it always computes with GELU."""
ACTIVATIONS = ("hidden_activation", "hidden_act", "activation_function", "activation")
"""Keys for it; the first that is set counts."""

BIASES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("gemma2", "gemma3_text", "olmo2", "qwen3", "qwen3_moe"), ("attention_bias",)),
    "falcon": ("bias",),
    "granitemoehybrid": ("mamba_proj_bias",),
    "lfm2": ("conv_bias",),
    "smollm3": ("attention_bias", "mlp_bias"),
}
"""Switches that bring biases which the converter or llama.cpp cannot read in a model of this type."""
INNER = {"falcon": ("ffn_hidden_size", "hidden_size"), "gpt2": ("n_inner", "n_embd")}
"""Size of the feed-forward layers, which the converter always writes as INNER_TIMES the width, and the width."""
INNER_TIMES = 4
ANOTHER = "Use another model. If config.json is not the one of these weights, fetch the right one"


def _without_place(config: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(what, remedy) of each setting that brings weights or places for which a GGUF file of this type has no room."""
    kind = str(config.get("model_type"))
    for key in BIASES.get(kind, ()):
        if config.get(key) is True:
            yield f"{key} is true: llama.cpp has no place for these biases in a model of the type {kind}", ANOTHER
    if kind == "granitemoehybrid" and config.get("mamba_conv_bias") is False:
        yield "mamba_conv_bias is false: llama.cpp needs these biases in a model of the type granitemoehybrid", ANOTHER
    key, wide = INNER.get(kind, ("", ""))
    inner, width = config.get(key), config.get(wide)
    if isinstance(inner, int) and isinstance(width, int) and inner != INNER_TIMES * width:
        yield (
            f"{key} is {inner}: llama.cpp's converter always writes {INNER_TIMES} times {wide}, {INNER_TIMES * width}, "
            f"for a model of the type {kind}"
        ), ANOTHER
    if kind == "falcon" and config.get("parallel_attn") is False:
        yield (
            "parallel_attn is false: this Falcon has a second norm in each layer, which llama.cpp's converter cannot "
            "write"
        ), "Use a Falcon model with parallel_attn: true, such as Falcon 7B"
    if kind == "falcon" and config.get("alibi") is True:
        yield (
            "alibi is true: llama.cpp always computes a Falcon model with rope, so the exported file would "
            "behave differently"
        ), "Use a Falcon model with alibi: false, such as Falcon 7B"
    if kind == "qwen3_moe" and (dense := _without_experts(config)):
        number, key = dense
        yield (
            f"layer {number} has no experts ({key}): llama.cpp's converter can write a Qwen3-MoE model only if every "
            "layer has experts"
        ), "Use a model with mlp_only_layers: [] and decoder_sparse_step: 1, as the published Qwen3 models have them"


def _without_experts(config: Mapping[str, object]) -> tuple[int, str] | None:
    """The first layer of a Qwen3-MoE that has none, and the key that names it; None if every layer has experts."""
    step, listed = config.get("decoder_sparse_step", 1), config.get("mlp_only_layers")
    if isinstance(step, int) and step > 1:
        return 0, "decoder_sparse_step"
    depth = next((n for one in KEYS if isinstance(n := config.get(one), int)), 0)
    named = [n for n in listed if isinstance(n, int) and 0 <= n < depth] if isinstance(listed, list) else []
    return (min(named), "mlp_only_layers") if named else None


def _refuse_activation(config: Mapping[str, object]) -> None:
    kind = config.get("model_type")
    key = next((key for key in ACTIVATIONS if isinstance(config.get(key), str)), None)
    if key is None or kind not in GATED | GELU:
        return
    named = str(config[key])
    if named not in SILU if kind in GATED else "gelu" not in named:
        raise ModelFileError(
            f"{key} is {named}: llama.cpp always computes {'SiLU' if kind in GATED else 'GELU'} in a model of the type "
            f"{kind}, so the exported file would behave differently",
            where=CONFIG,
            remedy=ANOTHER,
        )


def _sees_all(config: Mapping[str, object]) -> str:
    """The setting with which every token sees those after it; "" for a model that writes text."""
    if config.get("is_causal") is False:
        return "is_causal is false"
    given = config.get("use_bidirectional_attention")
    # Of some families "vision" means the tokens of an image only.
    return f"use_bidirectional_attention is {json.dumps(given)}" if given is True or given == "all" else ""


def refuse(config: Mapping[str, object]) -> None:
    """Raise ModelFileError with the reason and what to do if the exported file would differ from this model."""
    kind = config.get("model_type")
    inner = config.get("text_config")
    if setting := _sees_all(config) or _sees_all(inner if isinstance(inner, dict) else {}):
        raise ModelFileError(
            f"{setting}: every token of this model sees the tokens after it, so it turns texts into vectors (an "
            "embedding model) and does not write text",
            where=CONFIG,
            remedy="Use the language model that it was made from. base_model on its card usually names it",
        )
    if kind == "stablelm" and config.get("qk_layernorm"):
        raise ModelFileError(
            "qk_layernorm is true: this StableLM has a norm for each head, which llama.cpp's converter cannot write",
            where=CONFIG,
            remedy="Use a StableLM model without qk_layernorm, such as StableLM 2 1.6B",
        )
    for what, remedy in _without_place(config):
        raise ModelFileError(what, where=CONFIG, remedy=remedy)
    _refuse_activation(config)
    if kind == "qwen3_moe" and not config.get("norm_topk_prob"):
        raise ModelFileError(
            "norm_topk_prob is not true: llama.cpp always makes the weights of the chosen experts of a Qwen3-MoE model "
            "add up to 1, so the exported file would behave differently",
            where=CONFIG,
            remedy="Use a model with norm_topk_prob: true, as the published Qwen3 models have it",
        )
    window, context = config.get("sliding_window"), config.get("max_position_embeddings")
    if kind == "mistral" and isinstance(window, int) and isinstance(context, int) and 0 < window < context:
        raise ModelFileError(
            f"sliding_window is {window}: llama.cpp lets every token of a Mistral model see the complete context, so "
            f"beyond {window} tokens the exported file would behave differently",
            where=CONFIG,
            remedy="Use a version without a window (Mistral 7B 0.2 and later have none), or set "
            f"max_position_embeddings to {window} in a copy of the folder",
        )
    turned = config.get("no_rope_layers")
    turned = turned if isinstance(turned, list) else []
    usual = [int((number + 1) % ROPE_INTERVAL != 0) for number in range(len(turned))]
    if kind == "smollm3" and turned != usual:
        odd = next(number for number, (one, other) in enumerate(zip(turned, usual, strict=True)) if one != other)
        raise ModelFileError(
            f"layer {odd} {'has' if turned[odd] else 'has no'} rope: llama.cpp leaves the rope out of every fourth "
            "layer of a SmolLM3 model and of no other, so the exported file would behave differently",
            where=CONFIG,
            remedy="If you chose student.layers, choose them so that exactly every fourth kept layer is one without "
            "rope (layers 3, 7, 11 and so on of the original)",
        )
