"""Loading through transformers without its leniency: missing, extra or differently shaped weights are refused.

transformers fills missing weights with random numbers, drops unknown ones and only logs it. This module catches its own
report of a load (``LoadStateDictInfo``) before it becomes a log line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import transformers.modeling_utils as modeling

from catalog.words import counted
from zoo.errors import ModelFileError
from zoo.modelfolder import missing as lost
from zoo.modelfolder.weights import named

LAYER = re.compile(r"\.(?:layers|h|blocks)\.(\d+)\.")


@dataclass
class Account:
    """transformers' report of one load; info is None until there is one.

    patterns: names of tensors that the architecture ignores by its own rule. tied: weight -> the weight it shares.
    """

    info: modeling.LoadStateDictInfo | None = None
    patterns: list[str] = field(default_factory=list)
    tied: dict[str, str] = field(default_factory=dict)


@contextmanager
def account() -> Iterator[Account]:
    """Within the block, the report of every load is kept instead of logged, and transformers does not raise because of
    it."""
    kept = Account()
    before = modeling.log_state_dict_report

    def keep(
        *_: object, model: object = None, loading_info: modeling.LoadStateDictInfo | None = None, **__: object
    ) -> None:
        kept.info = loading_info
        kept.patterns = sorted(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ())
        kept.tied = dict(getattr(model, "all_tied_weights_keys", None) or {})

    modeling.log_state_dict_report = keep
    try:
        yield kept
    finally:
        modeling.log_state_dict_report = before


def refuse_differences(
    kept: Account, config: Mapping[str, object], where: str, wrapper: str = "", by: str = "config.json"
) -> None:
    """Raises ModelFileError unless every weight of the architecture came from the source, and no weight of the source
    is left.

    config: the configuration that the architecture was built from. wrapper: a remedy that replaces the usual ones.
    by: what the configuration was read from, for people.
    """
    info = kept.info
    if info is None:
        raise ModelFileError(
            "transformers did not report which weights it used", where=where,
            remedy="Install the tested version of transformers: pip install 'model-zoo-publisher[train]'",
        )  # fmt: skip
    if info.mismatched_keys:
        raise _shapes(info.mismatched_keys, config, where, wrapper, by)
    missing, unexpected = sorted(info.missing_keys), sorted(info.unexpected_keys)
    if missing or unexpected:
        raise _names(missing, unexpected, config, where, wrapper)
    if info.conversion_errors or info.error_msgs:
        which = (
            named(sorted(info.conversion_errors))
            if info.conversion_errors
            else " ".join(info.error_msgs)[:300]
        )
        raise ModelFileError(
            f"The weights do not fit the architecture's layout: {which}", where=where,
            remedy="Fetch the weights and config.json of one revision again",
        )  # fmt: skip


def _names(
    missing: list[str], unexpected: list[str], config: Mapping[str, object], where: str, wrapper: str
) -> ModelFileError:
    parts = []
    if missing:
        parts.append(lost.words(missing))
    if unexpected:
        parts.append(lost.without_place(unexpected))
    return ModelFileError("; ".join(parts), where=where, remedy=_remedy(missing, unexpected, config, wrapper))


def _remedy(missing: list[str], unexpected: list[str], config: Mapping[str, object], wrapper: str) -> str:
    if wrapper:
        return wrapper
    stated = config.get("num_hidden_layers")
    layers = sorted({int(found[1]) for name in (unexpected or missing) if (found := LAYER.search(name))})
    if isinstance(stated, int) and layers and unexpected and not missing and layers[0] >= stated:
        return (
            f"config.json says num_hidden_layers: {stated}, the weights have {counted(layers[-1] + 1, 'layer')}. "
            "Use the config.json that belongs to them"
        )
    if missing and not unexpected:
        return lost.remedy(missing, config)
    return lost.OTHER_CONFIG if missing else lost.remedy_beyond(unexpected)


def _shapes(
    mismatched: Iterable[tuple[str, Sequence[int], Sequence[int]]],
    config: Mapping[str, object],
    where: str,
    wrapper: str,
    by: str,
) -> ModelFileError:
    lines, known = [], False
    for name, ours, theirs in sorted(mismatched, key=lambda one: str(one[0])):
        key = _disagreeing(str(name), tuple(ours), tuple(theirs), config)
        known = known or bool(key)
        lines.append(f"{name} is {_shape(ours)} in the weights and {_shape(theirs)} by {by}{key}")
    return ModelFileError(
        f"The weights do not fit {by}: {named(lines)}", where=where,
        remedy=wrapper or "Use the config.json that belongs to these weights, or "
        + ("fix the key named above" if known else "fetch the weights again"),
    )  # fmt: skip


ROWS = (
    (("embed_tokens", "lm_head", "wte", "embed_in", "embed_out", "word_embeddings"), ("vocab_size",)),
    (("q_proj", "o_proj"), ("num_attention_heads", "head_dim")),
    (("k_proj", "v_proj"), ("num_key_value_heads", "head_dim")),
    (("gate_proj", "up_proj", "down_proj"), ("intermediate_size",)),
)
"""Parts of a tensor's name, and the keys of config.json that its number of rows or columns comes from."""


def _disagreeing(
    name: str, ours: tuple[int, ...], theirs: tuple[int, ...], config: Mapping[str, object]
) -> str:
    """The keys of config.json that gave the shape that does not fit, in parentheses; empty if none is known."""
    if len(ours) != len(theirs):
        return ""
    other = {number for mine, number in zip(ours, theirs, strict=True) if mine != number}
    sizes = dict(config)
    width, heads = config.get("hidden_size"), config.get("num_attention_heads")
    if isinstance(width, int) and isinstance(heads, int):
        sizes["head_dim"] = config.get("head_dim") or width // heads
    for parts, keys in (*ROWS, (("",), ("hidden_size",))):
        numbers = [number for key in keys if isinstance(number := sizes.get(key), int)]
        known = any(part in name for part in parts) and len(numbers) == len(keys)
        if known and math.prod(numbers) in other:
            return f" ({', '.join(f'{key}: {sizes[key]}' for key in keys)})"
    equal = [f"{key}: {value}" for key, value in config.items() if type(value) is int and value in other]
    return f" ({', '.join(equal)})" if equal else ""


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
