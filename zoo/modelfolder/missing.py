"""Weights that a model certainly needs and its files lack, found by their names alone. Pure.

Loading the model finds every missing weight, but only after everything is installed and read. For families whose names
are known (``layernames``) these are enough. Of other families nothing is said here, nor of files with other names,
unless they have every known name too: then the others have no place.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

from zoo.errors import ModelFileError
from zoo.modelfolder import layernames
from zoo.modelfolder.weights import named

HEADS = frozenset(family.head for family in layernames.FAMILIES.values())
OTHER_CONFIG = "Use the config.json that belongs to these weights, or save the model again with save_pretrained"
_MOST = 200_000
"""Names that are looked for: config.json may state any number of layers."""


def refuse(config: Mapping[str, object], names: Collection[str], where: str) -> None:
    """Raise ModelFileError that names the weights that are missing, or those that config.json does not have.

    names: the model's own, of plain weights.
    """
    family = layernames.FAMILIES.get(str(config.get("model_type")))
    if family is None or not layernames.are_kinds_known(config, family):
        return
    matches = family.known().fullmatch
    there = {family.complete(name) for name in names if matches(name)}
    needed = family.needed(config, is_head_there=family.head in there)
    lost = sorted(set(itertools.islice(needed, _MOST)) - there)
    if others := sorted(name for name in names if not matches(name)):
        if not lost:
            raise ModelFileError(without_place(others), where=where, remedy=OTHER_CONFIG)
        return
    if lost:
        raise ModelFileError(words(lost), where=where, remedy=remedy(lost, config))
    if beyond := sorted(family.beyond(config, names)):
        raise ModelFileError(without_place(beyond), where=where, remedy=remedy_beyond(beyond))


def words(missing: Sequence[str]) -> str:
    """What is missing, in a sentence."""
    one = len(missing) == 1
    needed = f"{'weight' if one else 'weights'} that the architecture needs {'is' if one else 'are'}"
    return f"{len(missing)} {needed} missing: {named(missing)}"


def without_place(others: Sequence[str]) -> str:
    """What is there in addition, in a sentence."""
    left = "tensor of the source has" if len(others) == 1 else "tensors of the source have"
    return f"{len(others)} {left} no place in the architecture: {named(others)}"


def remedy_beyond(others: Sequence[str]) -> str:
    """What to do about weights that are there in addition, if none is missing."""
    if all(name.endswith(".bias") for name in others):
        return (
            "The weights have biases that config.json does not have (model_type, attention_bias, mlp_bias): "
            "use the config.json that belongs to these weights"
        )
    return OTHER_CONFIG


def remedy(missing: Sequence[str], config: Mapping[str, object]) -> str:
    """What to do about it, if the files have nothing else that does not fit."""
    if len(missing) == 1 and missing[0] in HEADS:
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
    biases = [key for key in ("attention_bias", "mlp_bias", "qkv_bias", "use_qkv_bias") if config.get(key)]
    only_biases = all(name.endswith(".bias") for name in missing)
    keys = ["model_type", *biases] if only_biases else ["num_hidden_layers", "model_type"]
    shown = [f"{key}: {config[key]}" for key in keys if config.get(key) is not None]
    return f" ({', '.join(shown)})" if shown else ""
