"""What cards, catalog and checks need to know of a GGUF file."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

from catalog.recipe import plain
from zoo.gguf import caches, header


def header_facts(path: Path) -> dict[str, Any]:
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
