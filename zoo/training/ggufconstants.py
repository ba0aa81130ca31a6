"""Values of a GGUF header that transformers' reader ignores, set in the model's configuration.

Layers with a window: the reader uses the usual pattern, but the header may list them one by one.
End tokens: the reader keeps one of up to three. The scale of Gemma's attention: no header has it, llama.cpp computes it
from the shape (``f_attention_scale`` in src/models/gemma3.cpp), and transformers' default is that of other sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.judge.parity.sourcerecord import EndToken

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SCALED = {"gemma2": 46, "gemma3": 62}
"""Architecture -> the number of layers of its 27B model, which llama.cpp scales by the width for each head."""


def settle(model: PreTrainedModel, architecture: str, ends: Sequence[EndToken]) -> list[str]:
    """Change the configurations of ``model`` in place, and return notes on constants that the header does not state.

    ends: the file's end tokens, as ``source.json`` has them.
    """
    ids = list(dict.fromkeys(one["id"] for one in ends))
    if ids and getattr(model, "generation_config", None) is not None:
        model.generation_config.eos_token_id = ids if len(ids) > 1 else ids[0]
    config = model.config
    if architecture not in SCALED or not hasattr(config, "query_pre_attn_scalar"):
        return []
    is_largest = config.num_hidden_layers == SCALED[architecture]
    scalar = config.hidden_size // config.num_attention_heads if is_largest else config.head_dim
    config.query_pre_attn_scalar = scalar
    return [f"the file does not state query_pre_attn_scalar; it is {scalar}, as llama.cpp computes it"]


def settle_windows(model: PreTrainedModel, windows: Sequence[bool] | None) -> list[str]:
    """Change ``layer_types`` of the configuration to ``windows``, and return a note if it was different.

    windows: for each layer whether it sees a window only, as llama.cpp reads the header; None if unknown.
    """
    kinds = getattr(model.config, "layer_types", None) or ()
    if windows is None or len(kinds) != len(windows) or not set(kinds) <= {"sliding_attention", "full_attention"}:
        return []
    stated = ["sliding_attention" if windowed else "full_attention" for windowed in windows]
    if stated == list(kinds):
        return []
    model.config.layer_types = stated
    numbers = ", ".join(str(number) for number, windowed in enumerate(windows) if windowed) or "none"
    return [f"the file lists the layers with a sliding window, and they are not the usual ones: {numbers}"]
