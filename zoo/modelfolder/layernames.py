"""The names of the weights of each known family, as its publishers write them. Pure.

They follow the code of transformers 5.23; the tests compare every row with a tiny model that it saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from catalog.jsonvalues import texts
from zoo.modelfolder.depth import KEYS

Config = Mapping[str, object]
When = Callable[[Config, int], bool | None]
"""Whether layer number n has a weight; None if config.json does not state it."""


@dataclass(frozen=True)
class Names:
    """Of one family. layer: the parts of a layer, each with when it is there; ``*`` counts experts. outside: what every
    model has in addition. base: what begins each name but the head's, and may be missing. layers: where layers are.
    optional: a pattern of parts that are no weights, or that another setting brings.
    """

    layer: Mapping[str, When]
    outside: tuple[str, ...] = ("norm.weight",)
    embedding: str = "embed_tokens.weight"
    head: str = "lm_head.weight"
    base: str = "model."
    layers: str = "layers"
    optional: str = r"self_attn\.rotary_emb\.inv_freq"

    def known(self) -> re.Pattern[str]:
        """Matches every name that a model of this family may have."""
        parts = [re.escape(part).replace(r"\*", r"\d+") for part in self.layer]
        fixed = "|".join(map(re.escape, (*self.outside, self.embedding)))
        inner = rf"{self.layers}\.\d+\.({'|'.join(parts)}|{self.optional})"
        return re.compile(rf"({re.escape(self.base)})?({fixed}|{inner})|{re.escape(self.head)}")

    def complete(self, name: str) -> str:
        """A known name with its base."""
        return name if name.startswith(self.base) or name == self.head else self.base + name

    def needed(self, config: Config, *, is_head_there: bool) -> Iterator[str]:
        """Every weight that a model with this configuration has."""
        own_head = config.get("tie_word_embeddings") is False
        if own_head:
            yield self.head
        # A tied matrix may be stored under either name.
        outside = self.outside if is_head_there and not own_head else (*self.outside, self.embedding)
        yield from (self.base + name for name in outside)
        depth = next((n for key in KEYS if isinstance(n := config.get(key), int)), 0)
        for number in range(depth):
            for part, when in self.layer.items():
                if when(config, number):
                    yield from (f"{self.base}{self.layers}.{number}.{one}" for one in _experts(part, config))


    def beyond(self, config: Config, names: Iterable[str]) -> Iterator[str]:
        """Those of the known ``names`` that a model with this configuration does not have, as its settings state."""
        layer = re.compile(rf"{self.layers}\.(\d+)\.(.+)")
        for name in names:
            found = layer.fullmatch(name.removeprefix(self.base))
            when = self.layer.get(re.sub(r"\.\d+\.", ".*.", found[2])) if found else None
            if found and when and when(config, int(found[1])) is False:
                yield name


def _experts(part: str, config: Config) -> Iterator[str]:
    if "*" not in part:
        yield part
        return
    count = next((n for key in ("num_experts", "num_local_experts") if isinstance(n := config.get(key), int)), 0)
    yield from (part.replace("*", str(number)) for number in range(count))


def _always(config: Config, number: int) -> bool:  # noqa: ARG001 - as every When
    return True


def _if(key: str, usual: bool = False) -> When:
    """A setting of config.json, and its value where it is missing."""
    return lambda config, _: config.get(key, usual) is True


def _unless(key: str, usual: bool = False) -> When:
    return lambda config, _: config.get(key, usual) is not True


def _parts(when: When, *names: str, kinds: tuple[str, ...] = ("weight",)) -> dict[str, When]:
    return {f"{name}.{kind}": when for name in names for kind in kinds}


BOTH = ("weight", "bias")
_QKVO = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
_GATED = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
_TWO_NORMS = ("input_layernorm", "post_attention_layernorm")
_HEAD_NORMS = _parts(_always, "self_attn.q_norm", "self_attn.k_norm")
_MLP_NORMS = _parts(_always, "pre_feedforward_layernorm", "post_feedforward_layernorm")
_BIASES = _parts(_if("attention_bias"), *_QKVO, kinds=("bias",))
_USUAL = _parts(_always, *_QKVO, *_GATED, *_TWO_NORMS) | _BIASES


def _sparse(config: Config, number: int) -> bool:
    """Whether a layer of Qwen3-MoE has experts."""
    dense, step = config.get("mlp_only_layers"), config.get("decoder_sparse_step", 1)
    is_dense = isinstance(dense, list) and number in dense
    return not is_dense and isinstance(step, int) and step > 0 and (number + 1) % step == 0


def _kind(config: Config, number: int) -> str | None:
    """The word for a layer in a hybrid model; None if config.json lists none for it."""
    words = texts(config.get("layer_types"))
    attention = config.get("full_attn_idxs")
    if number < len(words):
        return words[number]
    return ("full_attention" if number in attention else "conv") if isinstance(attention, list) else None


def _of_kind(*words: str, also: When = _always) -> When:
    return lambda config, number: _kind(config, number) in words and also(config, number)


_MAMBA, _ATTENTION = ("mamba", "linear_attention"), ("attention", "full_attention")


def _two_falcon_norms(config: Config, number: int) -> bool:  # noqa: ARG001 - as every When
    return config.get("new_decoder_architecture") is True and config.get("num_ln_in_parallel_attn") in (None, 2)


_GRANITE4 = {
    **_parts(_always, *_TWO_NORMS, "shared_mlp.input_linear", "shared_mlp.output_linear"),
    **_parts(_of_kind(*_ATTENTION), *_QKVO),
    **_parts(_of_kind(*_ATTENTION, also=_if("attention_bias")), *_QKVO, kinds=("bias",)),
    **dict.fromkeys(("mamba.A_log", "mamba.D", "mamba.dt_bias"), _of_kind(*_MAMBA)),
    **_parts(_of_kind(*_MAMBA), "mamba.conv1d", "mamba.in_proj", "mamba.out_proj", "mamba.norm"),
    "mamba.conv1d.bias": _of_kind(*_MAMBA, also=_if("mamba_conv_bias", usual=True)),
    **_parts(_of_kind(*_MAMBA, also=_if("mamba_proj_bias")), "mamba.in_proj", "mamba.out_proj", kinds=("bias",)),
    **_parts(lambda config, _: bool(config.get("num_local_experts")), "block_sparse_moe.input_linear",
             "block_sparse_moe.output_linear", "block_sparse_moe.router.layer"),
}  # fmt: skip
_QWEN3_MOE = {
    **_parts(_always, *_QKVO, *_TWO_NORMS), **_HEAD_NORMS, **_BIASES,
    **_parts(_sparse, "mlp.gate", *(f"mlp.experts.*.{name.removeprefix('mlp.')}" for name in _GATED)),
    **_parts(lambda config, number: not _sparse(config, number), *_GATED),
}  # fmt: skip
_STABLELM = {
    **_parts(_always, *_QKVO, *_GATED), **_parts(_always, "input_layernorm", kinds=BOTH),
    **_parts(_unless("use_parallel_residual"), "post_attention_layernorm", kinds=BOTH),
    **_parts(_if("use_qkv_bias"), *_QKVO[:3], kinds=("bias",)),
}  # fmt: skip
_LFM2 = {
    **_parts(_always, "feed_forward.w1", "feed_forward.w2", "feed_forward.w3", "ffn_norm", "operator_norm"),
    **_parts(_of_kind("conv"), "conv.conv", "conv.in_proj", "conv.out_proj"),
    **_parts(_of_kind("full_attention"), *_QKVO[:3], "self_attn.out_proj", "self_attn.q_layernorm",
             "self_attn.k_layernorm"),
}  # fmt: skip
_GPT2 = _parts(_always, "attn.c_attn", "attn.c_proj", "ln_1", "ln_2", "mlp.c_fc", "mlp.c_proj", kinds=BOTH)
_NEOX = {
    **_parts(_always, *_TWO_NORMS, "mlp.dense_4h_to_h", "mlp.dense_h_to_4h", kinds=BOTH),
    **_parts(_always, "attention.dense", "attention.query_key_value"),
    **_parts(_if("attention_bias", usual=True), "attention.dense", "attention.query_key_value", kinds=("bias",)),
}
_FALCON_MATRICES = ("mlp.dense_4h_to_h", "mlp.dense_h_to_4h", "self_attention.dense", "self_attention.query_key_value")
_FALCON = {
    **_parts(_always, *_FALCON_MATRICES), **_parts(_if("bias"), *_FALCON_MATRICES, kinds=("bias",)),
    **_parts(_two_falcon_norms, "ln_attn", "ln_mlp", kinds=BOTH),
    **_parts(lambda config, number: not _two_falcon_norms(config, number), "input_layernorm", kinds=BOTH),
    **_parts(lambda config, number: not _two_falcon_norms(config, number) and config.get("parallel_attn") is False,
             "post_attention_layernorm", kinds=BOTH),
}  # fmt: skip

_LLAMA = Names(_USUAL | _parts(_if("mlp_bias"), *_GATED, kinds=("bias",)))
FAMILIES: Mapping[str, Names] = {
    "falcon": Names(_FALCON, ("ln_f.weight", "ln_f.bias"), "word_embeddings.weight", base="transformer.", layers="h",
                    optional=r"self_attention\.rotary_emb\.inv_freq"),
    "gemma": Names(_USUAL),
    "gemma2": Names(_USUAL | _MLP_NORMS),
    "gemma3_text": Names(_USUAL | _MLP_NORMS | _HEAD_NORMS),
    "gpt2": Names(_GPT2, ("ln_f.weight", "ln_f.bias", "wpe.weight"), "wte.weight", base="transformer.", layers="h",
                  optional=r"attn\.(masked_)?bias"),
    "gpt_neox": Names(_NEOX, ("final_layer_norm.weight", "final_layer_norm.bias"), "embed_in.weight",
                      "embed_out.weight", "gpt_neox.",
                      optional=r"attention\.((masked_)?bias|rotary_emb\.inv_freq)"),
    "granite": _LLAMA,
    "granitemoehybrid": Names(_GRANITE4),
    "lfm2": Names(_LFM2, ("embedding_norm.weight",), optional=r"conv\.\w+\.bias"),
    "llama": _LLAMA,
    "mistral": Names(_USUAL),
    "olmo2": Names(_parts(_always, *_QKVO, *_GATED, "post_attention_layernorm", "post_feedforward_layernorm")
                   | _HEAD_NORMS | _BIASES),
    "phi3": Names(_parts(_always, "self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj",
                         *_TWO_NORMS)),
    "qwen2": Names(_USUAL | _parts(_always, *_QKVO[:3], kinds=("bias",))),
    "qwen3": Names(_USUAL | _HEAD_NORMS),
    "qwen3_moe": Names(_QWEN3_MOE),
    "smollm3": _LLAMA,
    "stablelm": Names(_STABLELM, ("norm.weight", "norm.bias"),
                      optional=r"self_attn\.([qk]_layernorm\.norms\.\d+\.weight|rotary_emb\.inv_freq)"),
}  # fmt: skip
"""By model_type of config.json."""


def are_kinds_known(config: Config, names: Names) -> bool:
    """Whether config.json states what each layer is, if the family's layers differ."""
    if "mamba.D" not in names.layer and "conv.conv.weight" not in names.layer:
        return True
    depth = next((n for key in KEYS if isinstance(n := config.get(key), int)), 0)
    return all(_kind(config, number) for number in range(depth))
