"""What cards, catalog and checks need to know of a GGUF file."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from catalog.recipe import plain
from catalog.release import Cache
from zoo.gguf import caches, header


@dataclass(frozen=True)
class Budget:
    """What a file had to stay within."""

    limit_bytes: int


@dataclass(frozen=True)
class Quantized:
    """How a file was quantized, as far as a release reads it. fallbacks: one for each tensor of another type.

    overridden: the type of each tensor that the recipe decides. budget: None for a file of the ladder.
    """

    type_name: str
    bits_per_weight: float
    fallbacks: list[object]
    imatrix_sha256: str | None
    overridden: dict[str, str] = field(default_factory=dict)
    budget: Budget | None = None


@dataclass(frozen=True)
class FileFacts:
    """What a release reads of ``header_facts`` and of what the step that made the file adds to them."""

    architecture: str
    parameters: int
    context_tokens: int
    block_count: int
    vocabulary_size: int
    template_sha256: str | None
    cache: Cache
    experts: int | None
    experts_used: int | None
    bits_per_weight: float
    tensors: int
    tensor_types: dict[str, int]
    read_bytes: int | None
    quantize: Quantized | None


def header_facts(path: Path) -> dict[str, object]:
    """Facts of one file by name: numbers, texts, and counts of its tensors."""
    found = header.read_header(path)
    facts = {
        f.name: getattr(found, f.name)
        for f in dataclasses.fields(found)
        if f.name not in ("metadata", "lists", "tensors")
    }
    facts["tensors"] = len(found.tensors)
    facts["tensor_types"] = dict(sorted(Counter(tensor.type_name for tensor in found.tensors).items()))
    facts["bits_per_weight"] = round(found.bits_per_weight, 4)
    facts["licence"] = found.metadata.get("general.license")
    facts["name"] = found.metadata.get("general.name")
    facts["version"] = found.metadata.get("general.version")
    facts["base_model"] = found.metadata.get("general.base_model.0.repo_url")
    facts["cache"] = plain(caches.cache_of(found))
    facts["read_bytes"] = caches.read_bytes(found)
    facts["experts"], facts["experts_used"] = caches.experts(found)
    return facts
