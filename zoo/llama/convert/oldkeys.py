"""config.json in the form that llama.cpp's converter reads, if transformers writes another key or value.

transformers 5 reads the keys that publishers wrote and saves its own. For some architectures the converter reads only
the publishers' keys, or misreads a missing key. ``restored`` adds the old keys to the new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from catalog.jsonvalues import table, texts

Config = Mapping[str, object]


def restored(config: Config) -> dict[str, object]:
    """A copy of ``config`` with the keys that the converter reads. Correct keys stay unchanged."""
    made = RULES.get(str(config.get("model_type")))
    return {**config, **(made(config) if made else {})}


def _gpt_neox(config: Config) -> Config:
    # The defaults are those of transformers' GPTNeoXConfig.
    rope = table(config.get("rope_parameters"))
    found = {
        "rotary_pct": rope.get("partial_rotary_factor", 0.25),
        "rotary_emb_base": rope.get("rope_theta", 10000),
    }
    return {key: value for key, value in found.items() if key not in config}


def _gpt2(config: Config) -> Config:
    return {} if "n_ctx" in config or "n_positions" not in config else {"n_ctx": config["n_positions"]}


def _falcon(config: Config) -> Config:
    """transformers fills num_kv_heads with the number of heads; with multi_query its attention has one."""
    one = config.get("multi_query", True) and not config.get("new_decoder_architecture", False)
    return {"num_kv_heads": 1} if one else {}


def _granite_hybrid(config: Config) -> Config:
    words = {"full_attention": "attention", "linear_attention": "mamba"}
    return {"layer_types": [words.get(word, word) for word in texts(config.get("layer_types"))]}


RULES: Mapping[str, Callable[[Config], Config]] = {
    "gpt_neox": _gpt_neox,
    "gpt2": _gpt2,
    "falcon": _falcon,
    "granitemoehybrid": _granite_hybrid,
}
"""By config.json's model_type. Checked against the converter of llama-cpp-python 0.3.36 and transformers 5.23."""
