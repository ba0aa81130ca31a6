"""The decoder layers of a model, found by structure, and how some of them are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zoo.errors import InputError, ModelFileError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


PLACE = "layer_idx"
"""What modules call their number among the layers."""


def layer_count(model: PreTrainedModel) -> int:
    """How many decoder layers the configuration states; 0 if it does not."""
    config = model.config.get_text_config()
    return int(getattr(config, "num_hidden_layers", 0) or 0)


def decoder_layers(model: PreTrainedModel) -> tuple[str, torch.nn.ModuleList]:
    """Name (in the model) and value of the list of decoder layers.

    It is the outermost ModuleList with as many modules as the configuration states layers; GPT-2 and Falcon call it
    ``h``, MPT ``blocks``, the others ``layers``. Raises ModelFileError for an architecture without a single such list.
    """
    total = layer_count(model)
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == total and not _is_inside_a_list(name)
    ]
    depth = min((name.count(".") for name, _ in found), default=0)
    outermost = [(name, module) for name, module in found if name.count(".") == depth]
    if len(outermost) != 1:
        raise ModelFileError(
            f"The architecture {type(model).__name__} has no single list of decoder layers to choose from",
            remedy="Remove student.layers from the recipe, or prune an architecture such as Llama, Qwen or Mistral",
        )
    return outermost[0]


def _is_inside_a_list(name: str) -> bool:
    return any(part.isdigit() for part in name.split("."))


def prune(model: PreTrainedModel, kept: tuple[int, ...]) -> str:
    """Keep the decoder layers ``kept`` and update the configuration; returns the name of the list of layers.

    Every per-layer list of the configuration (such as ``layer_types``) is shortened in the same way. ``layer_idx``
    addresses the key-value cache, so it must count the kept layers. Raises InputError for layers that the model does
    not have.
    """
    name, layers = decoder_layers(model)
    total = len(layers)
    if not kept or len(set(kept)) != len(kept) or not all(0 <= number < total for number in kept):
        raise InputError(
            f"layers {list(kept)} cannot be kept: the model has layers 0 to {total - 1}, each once",
            remedy="Fix student.layers in the recipe",
        )
    if kept == tuple(range(total)):
        return name
    parent, _, attribute = name.rpartition(".")
    cut = torch.nn.ModuleList(layers[number] for number in kept)
    setattr(model.get_submodule(parent), attribute, cut)
    for number, layer in enumerate(cut):
        for module in layer.modules():
            if hasattr(module, PLACE):
                setattr(module, PLACE, number)
    config = model.config.get_text_config()
    for key, value in config.to_dict().items():
        if "layer" in key and isinstance(value, list) and len(value) == total:
            setattr(config, key, [value[number] for number in kept])
    config.num_hidden_layers = len(kept)
    return name
