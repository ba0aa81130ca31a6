"""A source's own weight files as an imported folder: nothing is converted, copied or held in memory.

For a model that only teaches. Hard links take no room; where the file system has none, the files are copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zoo.files.whole import place_file
from zoo.modelfolder.files import INDEX
from zoo.modelfolder.inspection import Inspected
from zoo.training.models import clean_json, quiet
from zoo.training.writing import writing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OWN = {"BF16": torch.bfloat16, "F16": torch.float16}
"""The formats that are kept, by their names in the safetensors format."""


def own_dtype(found: Inspected) -> torch.dtype | None:
    """The number format of a source whose files can be used as they are; None for one that has to be converted:
    quantized, wrapped, or with weights of another format or of several."""
    formats = {one.dtype for one in found.tensors.values()}
    if found.quantized or found.rules or len(formats) != 1:
        return None
    return OWN.get(formats.pop())


def link_model(found: Inspected, model: PreTrainedModel, out: Path, dtype: torch.dtype) -> None:
    """Write the folder ``out``: the configuration as a converted model has it, and the source's own weight files."""
    model.config.dtype = dtype
    model.config.architectures = [type(model).__name__]
    with quiet(), writing():
        model.config.save_pretrained(out)
        if model.can_generate():
            model.generation_config.save_pretrained(out)
    for name in ("config.json", "generation_config.json"):
        clean_json(out / name)
    for name in (*found.shards, *(name for name in (INDEX,) if name in found.files and len(found.shards) > 1)):
        place_file(found.files[name], out / name)
