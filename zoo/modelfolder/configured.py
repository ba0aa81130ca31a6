"""What config.json says against itself and against the shapes of the stored weights. Pure.

transformers finds the same when it builds and fills the model, but only after everything is installed and read. Shapes
are judged for families whose rule is known, and only where config.json states each size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.jsonvalues import table
from zoo.modelfolder import layershapes, sizes
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


def refuse(config: Config) -> None:
    """Raise ModelFileError for values of which no model can be built. config: the language model's part."""
    for what in (*_heads(config), *_ropes(config)):
        raise FileRefused(what, where=CONFIG, remedy=sizes.remedy)


def refuse_shapes(config: Config, own: Mapping[str, str], stored: Mapping[str, Stored]) -> None:
    """Raise ModelFileError for plain weights of another shape than config.json gives. own: stored name to the model's
    name."""
    known, rule = layershapes.completed(config), layershapes.rule(config)
    found = []
    for stored_name, one in sorted(stored.items()):
        name = own.get(stored_name, stored_name)
        if line := _other(name, one.shape, rule(name), known):
            found.append(line)
    if found:
        raise FileRefused(f"The weights do not fit config.json: {named(found)}", where=CONFIG, remedy=sizes.remedy)


def _other(name: str, shape: tuple[int, ...], sides: layershapes.Sides | None, config: Config) -> str | None:
    """How a weight differs from its rule; None if it does not, or no rule is known."""
    if sides is None:
        return None
    lengths = [side.length(config) for side in sides]
    if tuple(lengths) == shape or None in lengths:
        return None
    # Of another number of sides none corresponds to another.
    is_comparable = len(lengths) == len(shape)
    unlike = [
        side
        for place, (side, length) in enumerate(zip(sides, lengths, strict=True))
        if not is_comparable or length != shape[place]
    ]
    ours, theirs = (" x ".join(map(str, one)) or "a single number" for one in (shape, lengths))
    keys = dict.fromkeys(key for side in unlike for key in side.keys)
    values = f" ({', '.join(f'{key}: {config[key]}' for key in keys)})" if keys else ""
    return f"{name} is {ours} in the weights and {theirs} by config.json{values}"


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
