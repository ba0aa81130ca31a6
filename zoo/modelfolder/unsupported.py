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


def refuse(config: Mapping[str, object]) -> None:
    """Raise ModelFileError with the reason and what to do if the exported file would differ from this model."""
    kind = config.get("model_type")
    if kind == "stablelm" and config.get("qk_layernorm"):
        raise ModelFileError(
            "qk_layernorm is true: this StableLM has a norm for each head, which llama.cpp's converter cannot write",
            where=CONFIG,
            remedy="Use a StableLM model without qk_layernorm, such as StableLM 2 1.6B",
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
