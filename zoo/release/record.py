"""The record of a release and its model, from the results of the steps."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from catalog import licencefiles, memory, terms
from catalog.jsonvalues import number, table
from catalog.recipe import Recipe, build, plain
from catalog.release import (
    Ancestor,
    Architecture,
    Dataset,
    HeldOut,
    Loss,
    MemoryNeed,
    Model,
    ModelFile,
    ProbeScore,
    RecipeRecord,
    Release,
    Speed,
    Terms,
    Training,
    TypeCount,
)
from zoo.errors import ZooError
from zoo.files.listing import sha256_of
from zoo.gguf.facts import FileFacts
from zoo.judge.evaluation import Candidate, Reference, comparable_perplexity
from zoo.judge.parity.check import known_differences
from zoo.modelfolder.record import FILE as SOURCE_FILE
from zoo.plan.plan import file_name
from zoo.release.facts import Bench, Compared, Labelled, Measured, Probed, Redacted, Trained
from zoo.release.folder import NOWHERE
from zoo.release.material import Material
from zoo.stages.artifact import MODEL_FILE, Artifact
from zoo.stages.table import tools_of

Made = Mapping[str, Artifact]
"""Artifacts by the id of their step."""


def model(recipe: Recipe) -> Model:
    """The model without its releases."""
    r = recipe
    words = Model(r.name, r.summary, r.task, r.languages, r.owners, r.good_at, r.bad_at, ())
    return dataclasses.replace(words, maturity=r.maturity, source_notes=r.source_notes)


def valid_share(made: Made) -> float | None:
    """Share of the usable labels; None if nothing is labelled."""
    if "label" not in made:
        return None
    rows, valid = _rows(made)
    return valid / rows


def _rows(made: Made) -> tuple[int, int]:
    """Rows that were asked, and those with a valid answer that can be released."""
    labelled: Labelled = build(Labelled, made["label"].facts)
    if "redact" not in made:
        return labelled.rows, labelled.valid_rows
    redacted: Redacted = build(Redacted, made["redact"].facts)
    return labelled.rows, labelled.valid_rows - redacted.left_out


def release(material: Material, folder: Path) -> Release:
    """The record of the release, without a place on a hub and without evidence, which is not written yet.

    folder: where the released files are.
    """
    recipe, text = material.recipe, material.checked.text
    exported: FileFacts = build(FileFacts, material.artifacts["export"].facts)
    compared: Compared = build(Compared, material.artifacts["parity"].facts)
    tools, used = material.world.tools, _tools_used(material)
    architecture = Architecture(
        name=exported.architecture,
        parameters=exported.parameters,
        context_tokens=exported.context_tokens,
        layers=exported.block_count,
        vocabulary_size=exported.vocabulary_size,
        template_sha256=exported.template_sha256,
        cache=exported.cache,
        experts=exported.experts,
        experts_used=exported.experts_used,
    )
    return Release(
        version=recipe.version,
        date=recipe.date,
        licence=recipe.licence,
        architecture=architecture,
        files=tuple(_file(material, type_, folder) for type_ in material.makers),
        training=training(recipe, material.artifacts),
        dataset=_dataset_record(material),
        lineage=tuple(_lineage(material)),
        evidence=(),
        tools=tuple(sorted(f"{name} {version}" for name, version in tools.items() if name in used)),
        recipe=RecipeRecord(
            Path(material.checked.file).name, hashlib.sha256(text).hexdigest(), text.decode("utf-8")
        ),
        location=NOWHERE,
        terms=_terms(recipe),
        quantized_source=_quantized(material),
        differences=known_differences(compared.checks) or None,
        loss_stop=_loss_stop(material.artifacts),
    )


def _loss_stop(made: Made) -> str | None:
    measured: Measured = build(Measured, made["evaluate"].facts)
    stop = measured.evaluation.get("stop")
    return stop["words"] if stop else None


def _terms(recipe: Recipe) -> Terms | None:
    kinds = list(dict.fromkeys(kind for _, kind in terms.kinds_of(plain(recipe))))
    found = Terms(
        name=recipe.licence_name,
        link=recipe.licence_link,
        display=terms.display(kinds),
        use_policies=tuple(kind.use_policy for kind in kinds),
        files=tuple(map(licencefiles.published_name, recipe.licence_files)),
    )
    return found if any(vars(found).values()) else None


def _quantized(material: Material) -> str | None:
    """The import step's facts of the student's weights."""
    source = material.artifacts["import/student"]
    if not any(file.path == SOURCE_FILE for file in source.files):
        return None
    found = table(source.json(SOURCE_FILE))["quantized"]
    return None if found is None else str(found)


def _tools_used(material: Material) -> set[str]:
    return {tool for step in material.plan.steps for tool in tools_of(step.stage, step.spec)}


def _file(material: Material, type_: str, folder: Path) -> ModelFile:
    path = folder / file_name(material.recipe.name, type_)
    placed = Placed(path.name, type_, path.stat().st_size, sha256_of(path))
    return file(placed, material.makers[type_], material.artifacts)


@dataclasses.dataclass(frozen=True)
class Placed:
    """A file as it is released; its header differs from the measured one."""

    path: str
    type: str
    size_bytes: int
    sha256: str


def file(placed: Placed, maker: str, made: Made) -> ModelFile:
    """The record of a file. maker: id of the step that made it.

    Of a step that is not in ``made`` the figures are missing: no loss, no probes, no speeds, a perplexity of NaN, and
    a smoke test that did not pass.
    """
    artifact, type_ = made[maker], placed.type
    (measured_file,) = (one for one in artifact.files if one.path == MODEL_FILE)
    facts: FileFacts = build(FileFacts, artifact.facts)
    measured: Measured | None = build(Measured, made["evaluate"].facts) if "evaluate" in made else None
    candidate = measured.evaluation["candidates"].get(type_) if measured else None
    reference = measured.evaluation["reference"] if measured else None
    perplexity, its_error = _perplexity(candidate, reference)
    contexts = [n for n in memory.CONTEXTS if n <= facts.context_tokens] or [facts.context_tokens]
    return ModelFile(
        path=placed.path,
        type=type_,
        size_bytes=placed.size_bytes,
        sha256=placed.sha256,
        bits_per_weight=facts.bits_per_weight,
        tensors=facts.tensors,
        fallback_tensors=len(facts.quantize.fallbacks) if facts.quantize else 0,
        memory=tuple(MemoryNeed(n, _need(placed.size_bytes, facts, n)) for n in contexts),
        perplexity=perplexity,
        perplexity_se=its_error,
        loss=_loss(candidate) if candidate else None,
        smoke_passed=measured is not None and measured.smoke[type_]["passed"],
        speeds=_speeds(made.get(f"benchmark/{type_}"), type_),
        probes=_probes(made.get(f"probe/{type_}")),
        imatrix_sha256=facts.quantize.imatrix_sha256 if facts.quantize else None,
        tensor_types=tuple(TypeCount(name, count) for name, count in sorted(facts.tensor_types.items())),
        read_bytes=facts.read_bytes,
        measured_sha256=measured_file.sha256,
    )


def _perplexity(candidate: Candidate | None, reference: Reference | None) -> tuple[float, float]:
    """With its standard error; not a number where nothing was measured."""
    if not reference:
        return math.nan, math.nan
    found, error = comparable_perplexity(candidate, reference) if candidate else (
        reference["perplexity"], reference["perplexity_se"]
    )  # fmt: skip
    return found, number(error)


def _speeds(artifact: Artifact | None, type_: str) -> tuple[Speed, ...]:
    if artifact is None:
        return ()
    report: Bench = build(Bench, artifact.json("bench.json"))
    summary, device = report.summary, report.device
    speed = Speed(
        device=device["label"] or device["board_model"] or device["cpu_model"] or "unknown machine",
        cpu=device["cpu_model"] or device["machine"] or "unknown",
        threads=report.settings["threads"],
        prompt_tokens_per_second=summary["prompt_tokens_per_second"]["median"],
        decode_tokens_per_second=summary["decode_tokens_per_second"]["median"],
        time_to_first_token_seconds=summary["time_to_first_token_seconds"]["median"],
        load_seconds=summary["load_seconds"],
        peak_memory_bytes=summary["peak_memory_bytes"],
        valid=report.valid,
        reasons=report.reasons,
        evidence=f"bench-{type_}.json",
    )
    return (speed,)


def _probes(artifact: Artifact | None) -> tuple[ProbeScore, ...]:
    if artifact is None:
        return ()
    probed: Probed = build(Probed, artifact.facts)
    return probed.scores


def training(recipe: Recipe, made: Made) -> Training | None:
    """What was trained; None if nothing was."""
    if "distill" not in made or not recipe.distill:
        return None
    facts: Trained = build(Trained, made["distill"].facts)
    return Training(
        method=facts.method,
        adapter=facts.adapter,
        steps=facts.steps,
        rows=facts.rows,
        before=_held_out(facts.heldout_before),
        after=_held_out(facts.heldout_after),
    )


def _dataset_record(material: Material) -> Dataset | None:
    if "label" not in material.artifacts:
        return None
    rows, valid = _rows(material.artifacts)
    files = [*material.recipe.corpus.train, *material.recipe.corpus.heldout]
    licences = sorted({file.licence for file in files})
    return Dataset(rows, valid, " AND ".join(licences), material.recipe.languages)


def _lineage(material: Material) -> Iterator[Ancestor]:
    for role, source in (("student", material.recipe.student), ("teacher", material.recipe.teacher)):
        if source:
            sha256 = source.sha256 or material.checked.lock.sha256(source.source)
            yield Ancestor(role, source.source, source.licence, source.upstream, sha256)
    for role, files in material.recipe.data.items():
        for file in files:
            sha256 = material.world.files[file.path]
            yield Ancestor(role, f"{file.path} ({file.source})", file.licence, None, sha256)


def _need(size_bytes: int, facts: FileFacts, context_tokens: int) -> int:
    return memory.need_bytes(size_bytes, facts.cache, facts.vocabulary_size, context_tokens)


def _loss(candidate: Candidate) -> Loss:
    languages = [{"language": name, **figures} for name, figures in candidate["languages"].items()]
    return build(Loss, {**candidate, "languages": languages})


def _held_out(data: Mapping[str, object]) -> HeldOut:
    if data["perplexity"] is None:
        raise ZooError(
            "the held-out perplexity is not finite", remedy="Lower the learning rate in the recipe"
        )
    return build(HeldOut, data)
