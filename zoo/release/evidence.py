"""The files behind the figures, as they will be in ``evidence/`` of the model repository."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from catalog.release import EvidenceFile
from zoo.corpora import datafiles, distributions
from zoo.corpora.privacy.redact import REPORT
from zoo.files.digests import pretty_json
from zoo.files.listing import records, sha256_of
from zoo.files.together import each
from zoo.gguf import fingerprint, wording
from zoo.gguf.fingerprint import FORMAT as TENSORS_FORMAT
from zoo.judge.probes import report as probe_report
from zoo.llama import library
from zoo.machine import processor
from zoo.plan.plan import file_name
from zoo.release import reviewed
from zoo.release.material import Material
from zoo.stages.artifact import MODEL_FILE
from zoo.stages.table import STAGES

MEASURED_FORMAT = "zoo-measured/1"


def contents(material: Material, folder: Path) -> dict[str, str | bytes]:
    """Name -> content of every evidence file except the verdicts, which need the record first.

    folder: where the released files are.
    """
    recipe, artifacts = material.recipe, material.artifacts
    found: dict[str, str | bytes] = {
        name: artifacts[stage].path(name).read_bytes()
        for stage, row in STAGES.items()
        for name in (row.evidence if stage in artifacts else ())
    }
    for type_, maker in material.makers.items():
        found |= _of_file(material, type_, maker)
    if recipe.probes:
        asked = {
            type_: probe_report.records(artifacts[f"probe/{type_}"].json("probes.json"))
            for type_ in material.makers
        }
        found["probes.json"] = pretty_json(probe_report.evidence(asked))
    if "label" in artifacts:
        splits = {part: material.rows(part) for part in ("train", "heldout")}
        found[distributions.FILE] = pretty_json(distributions.report(splits, recipe.languages))
        data = {f"data/{part}.jsonl": material.labels.path(f"{part}.jsonl") for part in splits}
        found[datafiles.FILE] = pretty_json(datafiles.listing(data))
    if recipe.label and recipe.label.redact == "reviewed":
        review = reviewed.refuse_unsigned(recipe.name, artifacts["redact"], material.settings)
        found[reviewed.EVIDENCE] = pretty_json(review)
        found[REPORT] = reviewed.report(artifacts["redact"], review)
    if "imatrix" in artifacts:
        found["imatrix.json"] = pretty_json(artifacts["imatrix"].facts)
    found["tensors.json"] = pretty_json({"format": TENSORS_FORMAT, "files": _tensor_digests(material, folder)})
    found["measured.json"] = pretty_json(_measured(material, folder))
    steps = [
        {"id": s.id, "key": s.key, "spec": s.spec, "inputs": s.inputs}
        | ({"processor": dataclasses.asdict(s.processor)} if s.processor else {})
        for s in material.plan.steps
    ]
    made_on = dataclasses.replace(processor.here(), kernels=library.kernels())
    found["plan.json"] = pretty_json(
        {"steps": steps, "tools": material.world.tools, "processor": dataclasses.asdict(made_on)}
    )
    return found


def _of_file(material: Material, type_: str, maker: str) -> dict[str, str | bytes]:
    found: dict[str, str | bytes] = {}
    for stage, row in STAGES.items():
        artifact = material.artifacts.get(f"{stage}/{type_}") if row.measures else None
        for name in row.evidence if artifact else ():
            assert artifact
            stem, _, suffix = name.rpartition(".")
            found[f"{stem}-{type_}.{suffix}"] = artifact.path(name).read_bytes()
    if report := material.artifacts[maker].facts.get("quantize"):
        found[f"quantize-{type_}.json"] = pretty_json(report)
    return found


def _tensor_digests(material: Material, folder: Path) -> dict[str, object]:
    names = [file_name(material.recipe.name, type_) for type_ in material.makers]
    return dict(zip(names, each(fingerprint.digests, [folder / name for name in names]), strict=True))


def _measured(material: Material, folder: Path) -> dict[str, object]:
    """Which file each measurement is of: the released one without the words of its header."""
    files = {}
    # Hashed here, and remembered for everything that compares the released files later.
    each(sha256_of, [folder / file_name(material.recipe.name, type_) for type_ in material.makers])
    for type_, maker in material.makers.items():
        name = file_name(material.recipe.name, type_)
        (measured,) = (file for file in material.artifacts[maker].files if file.path == MODEL_FILE)
        files[name] = {
            "sha256": sha256_of(folder / name),
            "measured_sha256": measured.sha256,
            "measured_size_bytes": measured.size_bytes,
        }
    return {
        "format": MEASURED_FORMAT,
        "what": "Every file was evaluated, probed and measured before the keys below were added to its header. "
        "Without them it has the digest measured_sha256, which is the one in the reports of the measurements.",
        "keys": list(wording.KEYS),
        "files": files,
    }


def listed(folder: Path) -> tuple[EvidenceFile, ...]:
    """The evidence in ``folder``, by path."""
    found = records(folder)
    return tuple(EvidenceFile(record.path, record.size_bytes, record.sha256) for record in found)
