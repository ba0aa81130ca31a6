"""Weights that a model certainly needs and its files lack, found by their names alone. Pure.

Loading the model finds every missing weight, but only after everything is installed and read. For families whose layers
all have the same weights the names are enough. Of other families, and of files with other names, nothing is said here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from zoo.errors import ModelFileError
from zoo.modelfolder.weights import named

FAMILIES = ("gemma", "gemma2", "gemma3_text", "granite", "llama", "mistral", "qwen2", "qwen3", "smollm3")
"""Values of model_type whose layers all have the weights of LAYER, in the code of transformers 5.23."""
LAYER = (
    "input_layernorm", "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "post_attention_layernorm", "self_attn.k_proj",
    "self_attn.o_proj", "self_attn.q_proj", "self_attn.v_proj",
)  # fmt: skip
EMBEDDING, NORM, HEAD = "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"
_OTHERS = "self_attn.q_norm|self_attn.k_norm|pre_feedforward_layernorm|post_feedforward_layernorm"
_KNOWN = re.compile(
    rf"(model\.)?(embed_tokens\.weight|norm\.weight|layers\.\d+\.(({'|'.join(LAYER)}|{_OTHERS})\.(weight|bias)|"
    r"self_attn\.rotary_emb\.inv_freq))|lm_head\.weight"
)


def refuse(config: Mapping[str, object], names: Collection[str], where: str) -> None:
    """Raise ModelFileError that names the weights that are missing. names: the model's own, of plain weights."""
    if config.get("model_type") not in FAMILIES or not all(map(_KNOWN.fullmatch, names)):
        return
    there = {name if name.startswith(("model.", HEAD)) else f"model.{name}" for name in names}
    lost = sorted(set(_needed(config, there)) - there)
    if lost:
        raise ModelFileError(words(lost), where=where, remedy=remedy(lost, config))


def _needed(config: Mapping[str, object], there: Collection[str]) -> Iterable[str]:
    own_head = config.get("tie_word_embeddings") is False
    yield NORM
    if own_head:
        yield HEAD
    # A tied matrix may be stored under either name.
    if own_head or HEAD not in there:
        yield EMBEDDING
    layers = config.get("num_hidden_layers")
    for number in range(layers if isinstance(layers, int) else 0):
        yield from (f"model.layers.{number}.{part}.weight" for part in LAYER)


def words(missing: Sequence[str]) -> str:
    """What is missing, in a sentence."""
    one = len(missing) == 1
    needed = f"{'weight' if one else 'weights'} that the architecture needs {'is' if one else 'are'}"
    return f"{len(missing)} {needed} missing: {named(missing)}"


def remedy(missing: Sequence[str], config: Mapping[str, object]) -> str:
    """What to do about it, if the files have nothing else that does not fit."""
    if list(missing) == [HEAD]:
        return (
            'If the output head is the embedding, write "tie_word_embeddings": true into config.json. '
            "Otherwise fetch the weights again"
        )
    return (
        "Fetch all weight files of the repository again, in case a file or a tensor was lost. Or config.json "
        f"belongs to another model{_keys(missing, config)}"
    )


def _keys(missing: Sequence[str], config: Mapping[str, object]) -> str:
    """The keys of config.json that require the missing weights, in parentheses."""
    biases = [key for key in ("attention_bias", "mlp_bias", "qkv_bias") if config.get(key)]
    only_biases = all(name.endswith(".bias") for name in missing)
    keys = ["model_type", *biases] if only_biases else ["num_hidden_layers", "model_type"]
    shown = [f"{key}: {config[key]}" for key in keys if config.get(key) is not None]
    return f" ({', '.join(shown)})" if shown else ""
