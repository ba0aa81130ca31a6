"""Tiny model folders, each broken in one way, and their refusal. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tinymodel import make_tiny_llama

from zoo.errors import ModelFileError
from zoo.modelfolder.inspection import inspect

Tensors = dict[str, np.ndarray]
INDEX = "model.safetensors.index.json"
SMALL = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def sound(folder: Path, layers: int = 2) -> Path:
    """A tiny Llama with a tied head, two layers."""
    return make_tiny_llama(folder, layers=layers)


def tensors(folder: Path, name: str = "model.safetensors") -> Tensors:
    found: Tensors = load_file(folder / name)
    return found


def put(folder: Path, values: Mapping[str, np.ndarray], name: str = "model.safetensors") -> None:
    """Write weights, as transformers does."""
    whole = {key: np.ascontiguousarray(value) for key, value in values.items()}
    save_file(whole, folder / name, metadata={"format": "pt"})


def change(folder: Path, edit: Callable[[Tensors], Any]) -> Path:
    """Edit the tensors of model.safetensors in place."""
    values = tensors(folder)
    edit(values)
    put(folder, values)
    return folder


def rename(folder: Path, rule: Callable[[str], str]) -> Path:
    """Rename every tensor by ``rule``."""
    put(folder, {rule(name): value for name, value in tensors(folder).items()})
    return folder


def edit_json(folder: Path, name: str, **changes: Any) -> Path:
    """Set keys of a small JSON file."""
    path = folder / name
    data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**data, **changes}, ensure_ascii=False), encoding="utf-8")
    return folder


def shard(folder: Path, *, keep_single: bool = False) -> Path:
    """Two shards with an index instead of model.safetensors."""
    values = tensors(folder)
    names = sorted(values)
    index = {}
    for number, part in ((1, names[::2]), (2, names[1::2])):
        file = f"model-0000{number}-of-00002.safetensors"
        put(folder, {name: values[name] for name in part}, file)
        index |= dict.fromkeys(part, file)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}), encoding="utf-8")
    if not keep_single:
        (folder / "model.safetensors").unlink()
    return folder


def refusal(folder: Path, root: Path | None = None) -> ModelFileError:
    """Inspect a folder that must be refused, with a remedy and without the folder's place in the words."""
    with pytest.raises(ModelFileError) as caught:
        inspect(folder, root)
    assert caught.value.remedy and str(folder.parent) not in str(caught.value)
    return caught.value
