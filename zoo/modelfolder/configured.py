"""What config.json says against itself and against the shapes of the stored weights. Pure.

transformers finds the same when it builds and fills the model, but only after everything is installed and read. Shapes
are judged for families whose rule is known, and only where config.json states each size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from catalog.jsonvalues import table
from zoo.modelfolder import sizes
from zoo.modelfolder.commands import FileRefused
from zoo.modelfolder.files import CONFIG
from zoo.modelfolder.weights import Stored, named

Config = Mapping[str, object]

ROPE_TYPES = frozenset((
    "default", "linear", "dynamic", "yarn", "longrope", "su", "llama3", "proportional", "mrope",
))  # fmt: skip
"""Kinds of rope scaling that transformers 5.23 can compute (ROPE_INIT_FUNCTIONS), with older names."""
DIVIDED = frozenset(("llama", "gemma3_text", "gpt_neox"))
"""Values of model_type whose hidden_size must be a multiple of the heads even if head_dim is given."""
HEADS_OF_WIDTH = frozenset(("llama", "mistral", "qwen2"))
"""Values of model_type whose head_dim is hidden_size divided by the heads where it is missing."""
SHAPED = HEADS_OF_WIDTH | {"qwen3", "smollm3", "granite", "olmo2", "gemma", "gemma2", "gemma3_text"}


class _Side(NamedTuple):
    """A side of a matrix: a product of values of config.json."""

    keys: tuple[str, ...]

    def length(self, config: Config) -> int | None:
        """None if config.json does not state it."""
        product = 1
        for key in self.keys:
            value = config.get(key)
            if not isinstance(value, int) or isinstance(value, bool):
                return None
            product *= value
        return product


_WIDTH, _INNER, _ROWS = _Side(("hidden_size",)), _Side(("intermediate_size",)), _Side(("vocab_size",))
_QUERY, _KEY = _Side(("num_attention_heads", "head_dim")), _Side(("num_key_value_heads", "head_dim"))
_LAYER = r"(?:.*\.)?layers\.\d+\."
RULES: tuple[tuple[re.Pattern[str], tuple[_Side, ...]], ...] = tuple(
    (re.compile(pattern), sides)
    for pattern, sides in (
        (r"(?:.*\.)?(?:embed_tokens|lm_head)\.weight", (_ROWS, _WIDTH)),
        (_LAYER + r"self_attn\.q_proj\.weight", (_QUERY, _WIDTH)),
        (_LAYER + r"self_attn\.[kv]_proj\.weight", (_KEY, _WIDTH)),
        (_LAYER + r"self_attn\.o_proj\.weight", (_WIDTH, _QUERY)),
        (_LAYER + r"mlp\.(?:gate|up)_proj\.weight", (_INNER, _WIDTH)),
        (_LAYER + r"mlp\.down_proj\.weight", (_WIDTH, _INNER)),
        (_LAYER + r"(?:input|post_attention)_layernorm\.weight", (_WIDTH,)),
    )
)
"""Names of weights, and their sides."""


def refuse(config: Config) -> None:
    """Raise ModelFileError for values of which no model can be built. config: the language model's part."""
    for what in (*_heads(config), *_ropes(config)):
        raise FileRefused(what, where=CONFIG, remedy=sizes.remedy)


def refuse_shapes(config: Config, own: Mapping[str, str], stored: Mapping[str, Stored]) -> None:
    """Raise ModelFileError for plain weights of another shape than config.json gives. own: stored name to the model's
    name."""
    if config.get("model_type") not in SHAPED:
        return
    known = dict(config)
    width, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if config.get("head_dim") is None and config["model_type"] in HEADS_OF_WIDTH:
        known["head_dim"] = width // heads if isinstance(width, int) and isinstance(heads, int) else None
    found = [line for name, one in sorted(stored.items()) if (line := _other(own.get(name, name), one.shape, known))]
    if found:
        raise FileRefused(f"The weights do not fit config.json: {named(found)}", where=CONFIG, remedy=sizes.remedy)


def _other(name: str, shape: tuple[int, ...], config: Config) -> str | None:
    """How a weight differs from its rule; None if it does not, or no rule is known."""
    sides = next((sides for pattern, sides in RULES if pattern.fullmatch(name)), None)
    if sides is None or len(sides) != len(shape):
        return None
    lengths = [side.length(config) for side in sides]
    keys = [
        key
        for side, length, there in zip(sides, lengths, shape, strict=True)
        if length not in (None, there)
        for key in side.keys
    ]
    if not keys or None in lengths:
        return None
    ours, theirs = (" x ".join(map(str, one)) for one in (shape, lengths))
    values = ", ".join(f"{key}: {config[key]}" for key in dict.fromkeys(keys))
    return f"{name} is {ours} in the weights and {theirs} by config.json ({values})"


def _heads(config: Config) -> Iterator[str]:
    width, heads, pairs = (config.get(key) for key in ("hidden_size", "num_attention_heads", "num_key_value_heads"))
    if not isinstance(heads, int) or heads < 1:
        return
    is_divided = config.get("head_dim") is None or config.get("model_type") in DIVIDED
    if is_divided and isinstance(width, int) and width % heads:
        yield f"hidden_size is {width}, which is not a multiple of num_attention_heads, {heads}"
    if isinstance(pairs, int) and pairs > 0 and heads % pairs:
        yield f"num_attention_heads is {heads}, which is not a multiple of num_key_value_heads, {pairs}"


def _ropes(config: Config) -> Iterator[str]:
    """Of the configuration itself, its tables, and their tables for each kind of layer."""
    parts = [config]
    for key in ("rope_scaling", "rope_parameters"):
        given = table(config.get(key))
        parts += [given, *(one for one in given.values() if isinstance(one, dict))]
    for part in parts:
        base = part.get("rope_theta")
        if isinstance(base, int | float) and not isinstance(base, bool) and base <= 0:
            yield f"rope_theta is {base:g}; it must be above zero"
    for part in parts[1:]:
        kind = part.get("rope_type", part.get("type"))
        if isinstance(kind, str) and kind not in ROPE_TYPES:
            yield f"rope_type is {kind!r}, which transformers does not have ({', '.join(sorted(ROPE_TYPES))})"
