"""The dataset repository: the labelled rows, unchanged, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from catalog.jsonvalues import tables
from catalog.release import Model, Release
from zoo.corpora.distributions import Split, data_path, described
from zoo.corpora.privacy.redact import REPORT
from zoo.files.digests import sha256_file
from zoo.files.whole import place_file, write_atomic
from zoo.release import cards, licencetexts
from zoo.release.material import Material
from zoo.release.sealing import seal


def write(material: Material, folder: Path, model: Model, release: Release, evidence: Path) -> None:
    """Fill ``folder`` with data, card, manifest and sums. evidence: the folder with that of the model."""
    label, prompts = material.labels, material.artifacts["corpus/prompts"]
    splits, files = list[Split](), list[Mapping[str, object]]()
    for part in ("train", "heldout"):
        name = data_path(part)
        place_file(label.path(f"{part}.jsonl"), folder / name)
        files += [{"part": part, **file} for file in tables(prompts.facts[part])]
        if rows := material.rows(part):
            digest = sha256_file(folder / name)
            splits.append({"name": part, "path": name, "sha256": digest, **described(rows)})
    if taught := material.artifacts.get("conversations"):
        files += [{"part": f"tune.{part}", **file} for part, found in taught.facts.items() for file in tables(found)]
    card = cards.dataset_card(material.recipe, model, release, material.settings.namespace, splits, files)
    write_atomic(folder / "README.md", card)
    if "redact" in material.artifacts:
        place_file(evidence / REPORT, folder / REPORT)
    if licencetexts.dataset_has_them(material):
        licencetexts.place(material, folder)
    seal(material.recipe, folder)
