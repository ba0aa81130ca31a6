"""Which GGUF files can be a source: transformers reads only some architectures of llama.cpp. Pure.

The table is transformers' own list (5.23), under the names in GGUF headers, with causal language models only. A test
compares both.
"""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import ModelFileError

READABLE: tuple[str, ...] = (
    "bloom", "deci", "falcon", "gemma2", "gemma3", "gemma4", "gpt-oss", "gpt2", "lfm2", "llama", "mamba", "minimax-m2",
    "nemotron", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen35", "qwen35moe", "qwen3moe", "stablelm", "starcoder2",
)  # fmt: skip
"""Values of ``general.architecture``. Mistral's files say llama."""
OTHER_KINDS: Mapping[str, tuple[str, str]] = {
    "adapter": (
        "This file is an adapter (LoRA), not a model: it only changes another model's weights",
        "Merge the adapter into its base model with the tool that made it, and use the merged model folder",
    ),
    "mmproj": (
        "This file is the image or sound encoder of a model (mmproj), not the language model",
        "Use the other GGUF file of that repository, or the model folder (safetensors)",
    ),
    "imatrix": (
        "This file is an importance matrix, not a model",
        "Use the model folder that it was made for; zoo makes its own matrix from `corpus: calibration:`",
    ),
}
"""``general.type`` -> what the file is, and what to do."""
POOLING_NONE = 0
FOLDER_INSTEAD = "Use the model folder (safetensors) that this file was made from"


def refuse_other(metadata: Mapping[str, object], where: str) -> None:
    """Raise ModelFileError for a file that is not a complete language model. metadata: the header's single values."""
    parts = metadata.get("split.count")
    if isinstance(parts, int) and parts > 1:
        raise ModelFileError(
            f"This file is one of {parts} parts of a model (split.count of its header); transformers reads one file",
            where=where,
            remedy="Join the parts with llama.cpp's own tool, and name the new file in the recipe: "
            "llama-gguf-split --merge FIRST_PART NEW_FILE",
        )
    kind = str(metadata.get("general.type"))
    if kind in OTHER_KINDS:
        what, remedy = OTHER_KINDS[kind]
        raise ModelFileError(what, where=where, remedy=remedy)
    pooling = metadata.get(f"{metadata.get('general.architecture')}.pooling_type")
    if isinstance(pooling, int) and pooling != POOLING_NONE:
        raise ModelFileError(
            "This model does not write text: it turns texts into vectors or scores (pooling_type of the header is "
            f"{pooling})",
            where=where,
            remedy="Use the language model that it was made from",
        )


def refuse_unreadable(architecture: str, where: str) -> None:
    """Raise ModelFileError for an architecture whose GGUF files transformers cannot read."""
    if architecture not in READABLE:
        raise ModelFileError(
            f"transformers does not support GGUF files of the architecture {architecture}, so this file cannot be a "
            "source",
            where=where,
            remedy=FOLDER_INSTEAD,
        )
