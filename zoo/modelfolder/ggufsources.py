"""Which GGUF files can be a source: transformers reads only some architectures of llama.cpp. Pure.

The table is transformers' own list (5.23), under the names that GGUF headers have, without what is no causal language
model. A test compares both.
"""

from __future__ import annotations

from zoo.errors import ModelFileError

READABLE: tuple[str, ...] = (
    "bloom", "deci", "falcon", "gemma2", "gemma3", "gemma4", "gpt-oss", "gpt2", "lfm2", "llama", "mamba", "minimax-m2",
    "nemotron", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen35", "qwen35moe", "qwen3moe", "stablelm", "starcoder2",
)  # fmt: skip
"""Values of ``general.architecture``. Mistral's files say llama."""
FOLDER_INSTEAD = "Use the model folder (safetensors) that this file was made from"


def refuse_unreadable(architecture: str, where: str) -> None:
    """Raise ModelFileError for an architecture whose GGUF files transformers cannot read."""
    if architecture not in READABLE:
        raise ModelFileError(
            f"transformers cannot read GGUF files of the architecture {architecture}, so this file cannot be a source",
            where=where,
            remedy=FOLDER_INSTEAD,
        )
