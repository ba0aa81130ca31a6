"""The sizes in config.json or a GGUF header, compared with the stored tensors. Pure.

transformers builds the complete model that these describe before it reads the weights. An impossible size in a damaged
or hostile file would take all memory or all time there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from zoo.errors import ModelFileError
from zoo.modelfolder.commands import FileRefused
from zoo.modelfolder.files import CONFIG
from zoo.modelfolder.weights import Stored

LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
"""Every layer has a tensor of its own, so there are no more layers than tensors."""
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""A router has a row for each expert, so some tensor has at least this side."""
GGUF_LAYERS = "block_count"
GGUF_SIDES = ("embedding_length", "feed_forward_length", "expert_count", "attention.head_count",
              "attention.head_count_kv", "attention.key_length", "attention.value_length")  # fmt: skip
"""A matrix has each of these as a side, or a multiple of it."""
GGUF_REMEDY = "Fetch or build the file again and compare its SHA-256 with the published one"
MOST_PACKED = 8
"""Values in one stored number: 32 bits hold eight of 4 bits, and no supported format packs more."""


def remedy(place: str) -> str:
    """What to do about a config.json that its weights contradict."""
    return f"Fix {place}, or fetch it and the weights again from one revision"


def refuse_impossible(config: Mapping[str, object], stored: Collection[Stored]) -> None:
    """Raise ModelFileError for more layers or experts than the stored tensors can hold: each would be built.

    config: the part of config.json that describes the language model.
    """
    longest = max((side for one in stored for side in one.shape), default=0)
    for keys, most, there in (
        (LAYERS, len(stored), f"the weights are only {len(stored):,} tensors"),
        (EXPERTS, longest, f"the longest side of a tensor is {longest:,}"),
    ):
        for key in keys:
            value = config.get(key)
            if isinstance(value, int) and value > most:
                raise FileRefused(f"{key} is {_shown(value)}, but {there}", where=CONFIG, remedy=remedy)


def refuse_larger(described: int, stored: Collection[Stored], where: str = CONFIG) -> None:
    """Raise ModelFileError when config.json describes a model of so many weights that the files cannot hold it.

    described: its parameters; a head that is tied to the embedding may be counted twice.
    """
    held = sum(math.prod(one.shape) for one in stored)
    if described > 2 * MOST_PACKED * held:
        raise FileRefused(
            f"config.json describes a model of {_shown(described)} weights, but the files have {held:,}",
            where=where, remedy=remedy,
        )  # fmt: skip


def refuse_beyond_tensors(
    architecture: str, metadata: Mapping[str, object], shapes: Collection[tuple[int, ...]], where: str,
    width: int | None = None,
) -> None:
    """Raise ModelFileError for a GGUF header that names a size which none of its tensors can have.

    metadata: the header's single values. shapes: of the tensors, in weights. where: the file's name. width: of the
    embedding's rows, which embedding_length states.
    """  # fmt: skip
    stated = metadata.get(f"{architecture}.embedding_length")
    if width and isinstance(stated, int) and stated < width:
        raise ModelFileError(
            f"{architecture}.embedding_length is {stated:,}, but the rows of the embedding have {width:,} values",
            where=where, remedy=GGUF_REMEDY,
        )  # fmt: skip
    longest = max((side for shape in shapes for side in shape), default=0)
    for key in (f"{architecture}.{name}" for name in (GGUF_LAYERS, *GGUF_SIDES)):
        value = metadata.get(key)
        layers = key.endswith(GGUF_LAYERS)
        most, there = (
            (len(shapes), f"the file has only {len(shapes):,} tensors")
            if layers
            else (longest, f"the longest side of a tensor is {longest:,}")
        )
        if isinstance(value, int) and value > most:
            raise ModelFileError(
                f"{key} is {_shown(value)}, but {there}", where=where,
                remedy=GGUF_REMEDY,
            )  # fmt: skip


def _shown(value: int) -> str:
    return f"{value:,}" if value < 10**15 else f"{value:.0e}"
