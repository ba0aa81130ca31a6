"""The dataset repository: the labelled rows as they are, and the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog.release import Model, Release
from zoo import cards
from zoo.assemble import licencetexts
from zoo.assemble.material import Material
from zoo.assemble.sealing import seal
from zoo.files.digests import sha256_file
from zoo.files.whole import place_file, write_atomic


def write(material: Material, folder: Path, model: Model, release: Release) -> None:
    """Fill ``folder`` with data, card, manifest and sums."""
    label, prompts = material.artifacts["label"], material.artifacts["corpus/prompts"]
    splits, files = [], []
    for part in ("train", "heldout"):
        name = f"data/{part}.jsonl"
        place_file(label.path(f"{part}.jsonl"), folder / name)
        files += [{"part": part, **file} for file in prompts.facts[part]]
        if rows := material.rows(part):
            facts = {"name": part, "path": name, "sha256": sha256_file(folder / name)}
            splits.append({**facts, **_described(rows)})
    card = cards.dataset_card(material.recipe, model, release, material.settings.namespace, splits, files)
    write_atomic(folder / "README.md", card)
    if licencetexts.dataset_has_them(material):
        licencetexts.place(material, folder)
    seal(material.recipe, folder)


def _described(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the card says of the rows of one split; lengths of the prompts in characters."""
    lengths = sorted(len(m["content"]) for row in rows for m in row["messages"] if m["role"] == "user")
    return {
        "records": len(rows),
        "json": sum(row["requires_json"] for row in rows),
        "lengths": {"min": lengths[0], "median": lengths[len(lengths) // 2], "max": lengths[-1]},
        "tags": dict(Counter(tag for row in rows for tag in row["tags"])),
    }
