"""Features of a configuration that llama.cpp or its converter does not support: reported before anything is made.

Checked against llama-cpp-python 0.3.36.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import ModelFileError
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
            remedy="Use another model. If config.json is not the one of these weights, fetch the right one",
        )


def refuse(config: Mapping[str, object]) -> None:
    """Raise ModelFileError with the reason and what to do if the exported file would differ from this model."""
    kind = config.get("model_type")
    if kind == "stablelm" and config.get("qk_layernorm"):
        raise ModelFileError(
            "qk_layernorm is true: this StableLM has a norm for each head, which llama.cpp's converter cannot write",
            where=CONFIG,
            remedy="Use a StableLM model without qk_layernorm, such as StableLM 2 1.6B",
        )
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
