"""Kinds of rope scaling that llama.cpp's converter or llama.cpp loses for some families. Pure.

Measured with llama-cpp-python 0.3.36: a tiny model of each family with each kind, exported in f16, and its logits for
300 tokens against those of transformers. What is not listed was right, is refused by transformers, or was not tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.jsonvalues import table
from zoo.errors import ModelFileError
from zoo.modelfolder.files import CONFIG

NEWER = frozenset(("longrope", "llama3"))
SCALED = NEWER | {"linear", "yarn"}
LOST: Mapping[str, frozenset[str]] = {
    "falcon": SCALED,
    "gemma2": SCALED,
    "gemma3_text": NEWER,
    "granite": NEWER,
    "lfm2": frozenset(("llama3",)),
    "llama": frozenset(("longrope",)),
    "mistral": frozenset(("longrope",)),
    "olmo2": NEWER,
    "qwen2": NEWER,
    "qwen3": NEWER,
    "qwen3_moe": NEWER,
    "smollm3": NEWER,
    "stablelm": SCALED,
}
"""model_type -> kinds that the file would not have."""
OLDER_NAMES = {"su": "longrope"}


def refuse(config: Mapping[str, object]) -> None:
    """Raise ModelFileError for a rope that the exported file would not have. config: the language model's part."""
    family = str(config.get("model_type"))
    for kind in kinds(config):
        if OLDER_NAMES.get(kind, kind) in LOST.get(family, ()):
            raise ModelFileError(
                f"rope_type is {kind}: llama.cpp does not compute this scaling of the rope in a model of the type "
                f"{family}, so the exported file would behave differently",
                where=CONFIG,
                remedy="Use a model without this scaling. Often the one that it was made from has none",
            )


def kinds(config: Mapping[str, object]) -> Iterator[str]:
    """The kinds of a model's ropes; some families have one for each kind of layer."""
    for key in ("rope_scaling", "rope_parameters"):
        given = table(config.get(key))
        for part in (given, *(one for one in given.values() if isinstance(one, dict))):
            kind = part.get("rope_type", part.get("type"))
            if isinstance(kind, str):
                yield kind
