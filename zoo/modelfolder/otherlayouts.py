"""Folders with a model in a layout other than config.json with .safetensors files: what they are, and the command.

Only names of files are checked, never their content. In a remedy ``FOLDER`` stands for the folder; see
``zoo.modelfolder.commands``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.errors import ModelFileError
from zoo.modelfolder.files import CONFIG

SAME_REPOSITORY = "Use the files of transformers' format: config.json, model*.safetensors and the tokenizer's files"
NATIVE = "consolidated"
"""How names of the weights begin in the layout of Mistral and Meta."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
STATE = ("training_args.bin", "optimizer.*", "scheduler.*", "rng_state*", "scaler.*")
"""Pickles that a training leaves behind and that have no model weights."""
CONVERT = (
    'python -c "from transformers import AutoModelForCausalLM as M; '
    "M.from_pretrained('FOLDER', dtype='auto').save_pretrained('FOLDER')\""
)
SHOWN = 4
"""How many files are named; the others are counted."""


def without_config(folder: Path) -> ModelFileError:
    """Why a folder without config.json is not a valid source."""
    what, remedy = next(
        (found for rule in CONFIG_RULES if (found := rule(folder)) is not None),
        ("This folder has no config.json", "Use a GGUF file or a Hugging Face model folder"),
    )
    return ModelFileError(what, where=folder.name, remedy=remedy)


def without_weights(folder: Path) -> ModelFileError:
    """Why a folder with config.json but without .safetensors files is not a valid source."""
    what, remedy = next(
        (found for rule in WEIGHT_RULES if (found := rule(folder)) is not None),
        ("This folder has no .safetensors file", "Fetch the model's weights as well"),
    )
    return ModelFileError(what, where=folder.name, remedy=remedy)


_Found = tuple[str, str] | None
"""What the folder holds, and what to do; None if the rule does not fit."""


def _checkpoints(folder: Path) -> _Found:
    steps = [path for path in _matching(folder, "checkpoint-*") if (folder / path / CONFIG).is_file()]
    if not steps:
        return None
    steps.sort(key=lambda name: (len(name), name))
    what = f"This folder contains checkpoints of a training ({_listed(steps)}), each a separate model folder"
    return what, f"Name the one to release: file:FOLDER/{steps[-1]}"


def _gguf(folder: Path) -> _Found:
    files = _matching(folder, "*.gguf")
    if not files:
        return None
    what = f"This folder has GGUF files ({_listed(files)}). It is not a model folder"
    return what, f"Name the file: file:FOLDER/{files[0]}"


def _hub_cache(folder: Path) -> _Found:
    """A repository in the cache of the hub's client, the folder of its snapshots, or the complete cache."""
    found = [path for pattern in ("snapshots/*", "*", "models--*/snapshots/*") for path in sorted(folder.glob(pattern))
             if path.parent.name == "snapshots" and (path / CONFIG).is_file()]  # fmt: skip
    if not found:
        return None
    newest = max(found, key=lambda path: path.stat().st_mtime).relative_to(folder)
    names = [str(path.relative_to(folder)) for path in found]
    what = f"This folder is a cache of the hub's client. The models are in it ({_listed(names)})"
    return what, f"Name the one to release: file:FOLDER/{newest}"


def _native(folder: Path) -> _Found:
    if not _matching(folder, f"{NATIVE}*"):
        return None
    files = _listed([*_matching(folder, "params.json"), *_matching(folder, f"{NATIVE}*")])
    what = f"This folder has the weights in their maker's own layout ({files}), as Mistral's and Meta's repositories do"
    return what, f"{SAME_REPOSITORY}; most of these repositories have both"


def _deepspeed(folder: Path) -> _Found:
    if not (_matching(folder, "zero_to_fp32.py") or _matching(folder, "global_step*")):
        return None
    what = "This folder is a checkpoint of DeepSpeed: the weights are spread over the files of its processes"
    return what, (
        "Put them together with the script that DeepSpeed left in the folder: "
        "python 'FOLDER/zero_to_fp32.py' 'FOLDER' 'FOLDER' --safe_serialization"
    )


def _fsdp(folder: Path) -> _Found:
    parts = [name for name in _matching(folder, "pytorch_model_fsdp_*") if _matching(folder / name, "*.distcp")]
    if not parts:
        return None
    what = "This folder is a checkpoint of FSDP: the weights are spread over the files of its processes"
    return what, f"Put them together: accelerate merge-weights 'FOLDER/{parts[0]}' 'FOLDER'"


def _pickles(folder: Path) -> _Found:
    state = {name for pattern in STATE for name in _matching(folder, pattern)}
    pickled = sorted({name for pattern in PICKLES for name in _matching(folder, pattern)} - state)
    if not pickled:
        return None
    what = f"The weights are pickled ({_listed(pickled)}); a pickle can run any code, so zoo does not open it"
    return what, (
        "Use a revision with .safetensors files, or let transformers convert them; it reads only tensors from a pickle"
        f": {CONVERT}"
    )


def _other_library(folder: Path) -> _Found:
    names = ("tf_model*.h5", "flax_model*.msgpack", "*.onnx", "onnx", "weights*.npz")
    files = [name for pattern in names for name in _matching(folder, pattern)]
    if not files:
        return None
    return f"The weights belong to another library ({_listed(files)})", "Use a revision with model*.safetensors"


CONFIG_RULES: tuple[Callable[[Path], _Found], ...] = (_checkpoints, _gguf, _native, _hub_cache)
WEIGHT_RULES: tuple[Callable[[Path], _Found], ...] = (
    _deepspeed, _fsdp, _native, _pickles, _checkpoints, _gguf, _other_library,
)  # fmt: skip
"""The first rule that fits."""


def _matching(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
