"""The shapes of the weights of each family in ``layernames``, from the sizes in config.json. Pure.

They follow the code of transformers 5.23; the tests compare every row with tiny models that it saved.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from zoo.modelfolder import layernames
from zoo.modelfolder.layernames import Config


class Side(NamedTuple):
    """A side of a weight: a sum of products, each of a number and values of config.json."""

    terms: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The values that it is made of."""
        return tuple(dict.fromkeys(key for _, keys in self.terms for key in keys))

    def length(self, config: Config) -> int | None:
        """None if config.json does not state it."""
        numbers = {key: n for key in self.keys if (n := _whole(config.get(key))) is not None}
        if len(numbers) < len(self.keys):
            return None
        return sum(factor * math.prod(numbers[key] for key in keys) for factor, keys in self.terms)


Sides = tuple[Side, ...]
Parts = Mapping[str, Sides]
"""A part of a name, with ``*`` for the number of an expert -> the sides of its weight."""


@dataclass(frozen=True)
class Shapes:
    """Of one family. parts: of a model with this configuration. computed: values that follow from others where
    config.json lacks them. has_columns_first: whether a matrix is stored with one row for each input, so that its bias
    is as long as a row."""

    parts: Callable[[Config], Parts]
    computed: Callable[[Config], Config]
    has_columns_first: bool = False


def rule(config: Config) -> Callable[[str], Sides | None]:
    """The sides of the weight with a name, for a model with this configuration; None where no rule is known."""
    model_type = str(config.get("model_type"))
    names, shapes = layernames.FAMILIES.get(model_type), FAMILIES.get(model_type)
    if names is None or shapes is None:
        return lambda _: None
    known, parts = names.known(), shapes.parts(config)
    layer, expert = re.compile(rf"^{names.layers}\.\d+\."), re.compile(r"\.\d+\.")

    def sides(name: str) -> Sides | None:
        if not known.fullmatch(name):
            return None
        part = expert.sub(".*.", layer.sub("", name.removeprefix(names.base)))
        stem, _, kind = part.rpartition(".")
        found = parts.get(part, parts.get(stem))
        if part in parts or found is None or kind != "bias":
            return found
        return found[-1:] if shapes.has_columns_first else found[:1]

    return sides


def completed(config: Config) -> Config:
    """The configuration with what follows from it."""
    shapes = FAMILIES.get(str(config.get("model_type")))
    return {**config, **shapes.computed(config)} if shapes else config


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _side(text: str) -> Side:
    """Such as ``hidden_size + 2*head_dim``."""
    terms = []
    for term in text.split(" + "):
        factors = term.split("*")
        factor = int(factors.pop(0)) if factors[0].isdigit() else 1
        terms.append((factor, tuple(factors)))
    return Side(tuple(terms))


def _parts(table: Mapping[str, str]) -> dict[str, Sides]:
    """Names, separated by spaces -> sides, separated by `` x ``."""
    return {
        name: tuple(map(_side, sides.split(" x "))) for names, sides in table.items() for name in names.split(" ")
    }


def _nothing(config: Config) -> Config:  # noqa: ARG001 - as every other
    return {}


def _head(config: Config) -> Config:
    """head_dim of the width."""
    if config.get("head_dim") is not None:
        return {}
    width, heads = _whole(config.get("hidden_size")), _whole(config.get("num_attention_heads"))
    return {"head_dim": width // heads} if width and heads else {}


_W, _ROWS = "hidden_size", "vocab_size x hidden_size"
_QUERY, _KEY = "num_attention_heads*head_dim", "num_key_value_heads*head_dim"
_ATTENTION = {
    "self_attn.q_proj": f"{_QUERY} x {_W}", "self_attn.k_proj self_attn.v_proj": f"{_KEY} x {_W}",
    "self_attn.o_proj": f"{_W} x {_QUERY}",
}  # fmt: skip
_GATED = {
    "mlp.gate_proj mlp.up_proj": f"intermediate_size x {_W}", "mlp.down_proj": f"{_W} x intermediate_size",
}  # fmt: skip
_NORMS = {"input_layernorm post_attention_layernorm norm": _W, "embed_tokens lm_head": _ROWS}
_USUAL = _parts({**_ATTENTION, **_GATED, **_NORMS})
_HEAD_NORMS = _parts({"self_attn.q_norm self_attn.k_norm": "head_dim"})
_MLP_NORMS = _parts({"pre_feedforward_layernorm post_feedforward_layernorm": _W})
_QWEN3_MOE = _parts({
    "mlp.gate": f"num_experts x {_W}", "mlp.experts.*.gate_proj mlp.experts.*.up_proj": f"moe_intermediate_size x {_W}",
    "mlp.experts.*.down_proj": f"{_W} x moe_intermediate_size",
})  # fmt: skip
_PHI3 = _parts({
    **_ATTENTION, **_NORMS, "self_attn.qkv_proj": f"{_QUERY} + 2*num_key_value_heads*head_dim x {_W}",
    "mlp.gate_up_proj": f"2*intermediate_size x {_W}", "mlp.down_proj": f"{_W} x intermediate_size",
})  # fmt: skip
_INNER, _STATES = "mamba_expand*hidden_size", "2*mamba_n_groups*mamba_d_state"
_GRANITE4 = _parts({
    **_ATTENTION, **_NORMS, "mamba.A_log mamba.D mamba.dt_bias": "mamba_n_heads", "mamba.norm": _INNER,
    "mamba.conv1d.weight": f"{_INNER} + {_STATES} x 1 x mamba_d_conv", "mamba.conv1d.bias": f"{_INNER} + {_STATES}",
    "mamba.in_proj": f"2*{_INNER} + {_STATES} + mamba_n_heads x {_W}", "mamba.out_proj": f"{_W} x {_INNER}",
    "shared_mlp.input_linear": f"2*shared_intermediate_size x {_W}",
    "shared_mlp.output_linear": f"{_W} x shared_intermediate_size",
    "block_sparse_moe.input_linear": f"num_local_experts x 2*intermediate_size x {_W}",
    "block_sparse_moe.output_linear": f"num_local_experts x {_W} x intermediate_size",
    "block_sparse_moe.router.layer": f"num_local_experts x {_W}",
})  # fmt: skip
_FORWARD = "intermediate_size after block_auto_adjust_ff_dim"
_LFM2 = _parts({
    **_ATTENTION, "embed_tokens lm_head": _ROWS, "self_attn.out_proj": f"{_W} x {_QUERY}",
    "self_attn.q_layernorm self_attn.k_layernorm": "head_dim", "embedding_norm ffn_norm operator_norm": _W,
    "feed_forward.w1 feed_forward.w3": f"{_FORWARD} x {_W}", "feed_forward.w2": f"{_W} x {_FORWARD}",
    "conv.conv.weight": f"{_W} x 1 x conv_L_cache", "conv.conv.bias": _W, "conv.in_proj": f"3*{_W} x {_W}",
    "conv.out_proj": f"{_W} x {_W}",
})  # fmt: skip
_GPT2 = _parts({
    "attn.c_attn": "n_embd x 3*n_embd", "attn.c_proj": "n_embd x n_embd", "mlp.c_fc": "n_embd x n_inner",
    "mlp.c_proj": "n_inner x n_embd", "ln_1 ln_2 ln_f": "n_embd", "wte lm_head": "vocab_size x n_embd",
    "wpe": "n_positions x n_embd",
})  # fmt: skip
_WIDE = {"mlp.dense_h_to_4h": f"intermediate_size x {_W}", "mlp.dense_4h_to_h": f"{_W} x intermediate_size"}
_NEOX = _parts({
    **_WIDE, "attention.dense": f"{_W} x {_W}", "attention.query_key_value": f"3*{_W} x {_W}",
    "input_layernorm post_attention_layernorm final_layer_norm": _W, "embed_in embed_out": _ROWS,
})  # fmt: skip
_FALCON = {
    "self_attention.dense": f"{_W} x {_W}", "mlp.dense_h_to_4h": f"ffn_hidden_size x {_W}",
    "mlp.dense_4h_to_h": f"{_W} x ffn_hidden_size", "word_embeddings lm_head": _ROWS,
    "ln_attn ln_mlp ln_f input_layernorm post_attention_layernorm": _W,
}  # fmt: skip


def _falcon(config: Config) -> Parts:
    """Three kinds of attention."""
    width = f"3*{_W}"
    if config.get("new_decoder_architecture") is True:
        width = f"{_QUERY} + 2*num_kv_heads*head_dim"
    elif config.get("multi_query", True) is True:
        width = f"{_W} + 2*head_dim"
    return _parts({**_FALCON, "self_attention.query_key_value": f"{width} x {_W}"})


def _falcon_values(config: Config) -> Config:
    width, heads = _whole(config.get("hidden_size")), config.get("num_attention_heads")
    inner = 4 * width if width and config.get("ffn_hidden_size") is None else config.get("ffn_hidden_size")
    pairs = heads if config.get("num_kv_heads") is None else config["num_kv_heads"]
    return {**_head({**config, "head_dim": None}), "ffn_hidden_size": inner, "num_kv_heads": pairs}


def _experts(config: Config) -> Config:
    """transformers writes one key, publishers the other."""
    return {"num_experts": config.get("num_experts", config.get("num_local_experts"))}


def _gpt2_values(config: Config) -> Config:
    width = _whole(config.get("n_embd"))
    return {"n_inner": 4 * width} if width and config.get("n_inner") is None else {}


def _lfm2_values(config: Config) -> Config:
    """With the size of the feed-forward layers, as ``Lfm2MLP`` computes it."""
    inner = _whole(config.get("block_ff_dim", config.get("intermediate_size")))
    is_adjusted, factor, step = (
        config.get(key, usual)
        for key, usual in (
            ("block_auto_adjust_ff_dim", True), ("block_ffn_dim_multiplier", 1.0), ("block_multiple_of", 256),
        )
    )  # fmt: skip
    if inner and is_adjusted:
        inner = int(2 * inner / 3)
        if isinstance(factor, int | float) and isinstance(step, int) and step > 0:
            inner = step * -(-int(factor * inner) // step)
    return {**_head(config), _FORWARD: inner}


_OF_HEAD = Shapes(lambda _: _USUAL, _head)
_MLP_AND_HEAD_NORMS = _USUAL | _MLP_NORMS | _HEAD_NORMS
_OLMO2 = _USUAL | _MLP_NORMS | _parts({"self_attn.q_norm": _QUERY, "self_attn.k_norm": _KEY})
FAMILIES: Mapping[str, Shapes] = {
    "falcon": Shapes(_falcon, _falcon_values),
    "gemma": Shapes(lambda _: _USUAL, _nothing),
    "gemma2": Shapes(lambda _: _USUAL | _MLP_NORMS, _nothing),
    "gemma3_text": Shapes(lambda _: _MLP_AND_HEAD_NORMS, _nothing),
    "gpt2": Shapes(lambda _: _GPT2, _gpt2_values, has_columns_first=True),
    "gpt_neox": Shapes(lambda _: _NEOX, _nothing),
    "granite": _OF_HEAD,
    "granitemoehybrid": Shapes(lambda _: _GRANITE4, _head),
    "lfm2": Shapes(lambda _: _LFM2, _lfm2_values),
    "llama": _OF_HEAD,
    "mistral": _OF_HEAD,
    "olmo2": Shapes(lambda _: _OLMO2, _head),
    "phi3": Shapes(lambda _: _PHI3, _head),
    "qwen2": _OF_HEAD,
    "qwen3": Shapes(lambda _: _USUAL | _HEAD_NORMS, _nothing),
    "qwen3_moe": Shapes(lambda _: _USUAL | _HEAD_NORMS | _QWEN3_MOE, _experts),
    "smollm3": _OF_HEAD,
    "stablelm": _OF_HEAD,
}
"""By model_type of config.json."""
