"""Shape and constants of a model as it was built, by GGUF's names.

The values come from the modules, not from ``config.json``: LFM2 computes the width of its matrices from
``intermediate_size``, GPT-2 has no key for it, and each family has another name for the constant of its norms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from catalog.jsonvalues import number, table
from zoo.gguf import layerkinds
from zoo.judge.parity.seen import Parameter

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

SCALINGS = {"default": "none", "linear": "linear", "yarn": "yarn", "llama3": "frequency factors",
            "longrope": "frequency factors", "su": "frequency factors"}  # fmt: skip
"""Kinds of rope scaling, by transformers' name, that llama.cpp has too."""


def parameters(model: PreTrainedModel) -> dict[str, Parameter]:
    """Every figure of ``model`` (a causal language model of transformers)."""
    config = model.config.get_text_config()
    found = {**_sizes(model, config), **_constants(model), **_rope(config)}
    if getattr(config, "tie_word_embeddings", False) is False:
        # A tied head may be stored again; a separate head must not be missing.
        found["output.weight"] = Parameter("the head", "its own")
    return found


def _sizes(model: PreTrainedModel, config: PretrainedConfig) -> dict[str, Parameter]:
    rows, width = model.get_input_embeddings().weight.shape
    found = {
        "vocab_size": Parameter("the number of rows of the embedding", rows),
        "embedding_length": Parameter("the width of the embedding", width),
        "feed_forward_length": Parameter("a width of its matrices", _widths(model)),
    }
    found["expert_feed_forward_length"] = found["feed_forward_length"]
    for key, name in (
        ("context_length", "max_position_embeddings"),
        ("block_count", "num_hidden_layers"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
    ):
        if isinstance(value := getattr(config, name, None), int):
            found[key] = Parameter(name, value)
    window = getattr(config, "sliding_window", None)
    if isinstance(window, int) and _slides(config):
        found["attention.sliding_window"] = Parameter("sliding_window", window)
    if kinds := getattr(config, "layer_types", None):
        windows = layerkinds.shown([kind in layerkinds.SLIDING for kind in kinds])
        found[layerkinds.KEY] = Parameter("the list of layers with a window (layer_types)", windows)
    return found


def _widths(model: PreTrainedModel) -> frozenset[float]:
    """Lengths of the sides of all matrices, including experts'."""
    return frozenset(
        float(side) for weight in model.parameters() if weight.dim() > 1 for side in weight.shape
    )


def _slides(config: PretrainedConfig) -> bool:
    kinds = getattr(config, "layer_types", None)
    return kinds is None or "sliding_attention" in kinds


def _constants(model: PreTrainedModel) -> dict[str, Parameter]:
    """The constants of the norms, the width of heads and the part of it that the rope turns, with all their values."""
    norms: set[float] = set()
    heads: set[float] = set()
    turned: set[float] = set()
    for module in model.modules():
        if "norm" in type(module).__name__.lower():
            norms |= {
                float(e) for name in ("eps", "epsilon", "variance_epsilon") if (e := _number(module, name))
            }
        if any(hasattr(module, name) for name in ("q_proj", "qkv_proj", "c_attn", "query_key_value")):
            heads |= {float(size) for name in ("head_dim", "head_size") if (size := _number(module, name))}
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq"):
            # A rope that turns a part may be written with frequencies of 0 for the rest.
            turned |= {2.0 * len(buffer), 2.0 * int((buffer != 0).sum())}
    found: dict[str, Parameter] = {}
    for keys, name, values in (
        (("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"), "the norms' constant", norms),
        (("attention.key_length",), "the width of a head", heads),
        (("rope.dimension_count",), "the width that the rope turns", turned),
    ):
        if values:
            found |= {key: Parameter(name, frozenset(values)) for key in keys}
    return found


def _number(module: nn.Module, name: str) -> float | None:
    value = getattr(module, name, None)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _rope(config: PretrainedConfig) -> dict[str, Parameter]:
    kinds = getattr(config, "rope_parameters", None) or {}
    found: dict[str, Parameter] = {}
    for rope, suffix in _ropes(kinds):
        if isinstance(base := rope.get("rope_theta"), int | float):
            found[f"rope.freq_base{suffix}"] = Parameter("rope_theta", base)
            if not suffix:
                found |= _scaling(rope)
    return found


def _ropes(kinds: Mapping[str, object]) -> Iterator[tuple[Mapping[str, object], str]]:
    """The rope of full attention, and that of sliding attention if it has its own."""
    yield table(kinds.get("full_attention")) or kinds, ""
    if isinstance(sliding := kinds.get("sliding_attention"), Mapping):
        yield sliding, "_swa"


def _scaling(rope: Mapping[str, object]) -> dict[str, Parameter]:
    kind = SCALINGS.get(str(rope.get("rope_type", "default")))
    if kind is None:
        return {}
    found = {"rope.scaling.type": Parameter("rope_type", kind)}
    if kind in ("linear", "yarn") and "factor" in rope:
        found["rope.scaling.factor"] = Parameter("the rope's factor", number(rope["factor"]))
    return found
