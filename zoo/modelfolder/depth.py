"""Whether the weights have more layers than config.json says, as merges of models often do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from catalog.words import counted
from zoo.errors import ModelFileError
from zoo.modelfolder.files import CONFIG

KEYS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
PREDICTING = ("num_nextn_predict_layers", "num_mtp_layers", "mtp_num_hidden_layers")
"""Keys of models that store more layers after their own, which predict several tokens (DeepSeek, GLM)."""
_LAYER = re.compile(
    r"(?:model\.|language_model\.|transformer\.|gpt_neox\.|backbone\.)*(?:layers|h|blocks|blk)\.(?P<number>\d+)\."
)
"""Begins the name of a weight of the language model's own layers; those of an image encoder begin differently."""


def layer_of(name: str) -> int | None:
    """The number of the layer that a tensor of a model folder or a GGUF file is of; None outside of layers."""
    found = _LAYER.match(name)
    return int(found["number"]) if found else None


def refuse_more(config: Mapping[str, object], names: Iterable[str]) -> None:
    """Raise ModelFileError where a layer is stored beyond those that config.json states. names: the model's own."""
    inner = config.get("text_config")
    said = inner if isinstance(inner, dict) else config
    key, stated = next(((one, n) for one in KEYS if type(n := said.get(one)) is int), ("", 0))
    if not key or any(said.get(one) for one in PREDICTING):
        return
    numbers = {int(found["number"]) for name in names if (found := _LAYER.match(name))}
    if numbers and max(numbers) >= stated:
        raise ModelFileError(
            f"{key} is {stated}, but the weights have {counted(max(numbers) + 1, 'layer')} (numbered from 0)",
            where=CONFIG,
            remedy="Use the config.json that belongs to these weights. To release some layers only, correct the number "
            "and name the layers in the recipe: student: layers:",
        )
