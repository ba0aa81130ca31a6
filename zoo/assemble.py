"""From artifacts to a release folder: files, evidence, cards, manifest. Frozen when it is moved into place.

RELEASES/NAME/VERSION/release.json    what the catalog will say, without the place on a hub
RELEASES/NAME/VERSION/model/          the model repository, as it will be published
RELEASES/NAME/VERSION/dataset/        the dataset repository, if there is one
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog import memory
from catalog.checks import CheckedRecipe
from catalog.recipe import Recipe, build, plain
from catalog.release import (
    Ancestor,
    Architecture,
    Dataset,
    EvidenceFile,
    HeldOut,
    Location,
    Loss,
    MemoryNeed,
    Model,
    ModelFile,
    ProbeScore,
    RecipeRecord,
    Release,
    Repository,
    Speed,
    Training,
    TypeCount,
)
from zoo import agreement, cards, distributions, gates, provenance
from zoo.errors import ZooError
from zoo.llama import fingerprint
from zoo.plan import Plan, World, file_makers, file_name, tools_of
from zoo.probes import report as probe_report
from zoo.progress import Reporter
from zoo.provenance.bom import bom
from zoo.provenance.builder import builder_id
from zoo.provenance.statement import statement
from zoo.reproduce.compare import FORMAT as TENSORS_FORMAT
from zoo.settings import Settings
from zoo.stages.imatrix import FILE as IMATRIX
from zoo.workspace import (
    Artifact,
    FileRecord,
    digest,
    fsync_folder,
    locked,
    place_file,
    pretty_json,
    records,
    sha256_file,
    write_atomic,
)

VERSION = 3
"""Raise when a release folder made of the same artifacts changes."""

RECORD = "release.json"
NOWHERE = Location("", Repository("", "0" * 40, ""), None)
"""Stands for the place on a hub until there is one."""


@dataclass(frozen=True)
class ReleaseFolder:
    """A release on this machine. ``release.location`` is NOWHERE. dataset is None without a dataset repository."""

    folder: Path
    key: str
    model: Model
    release: Release
    verdicts: tuple[gates.Verdict, ...]
    model_files: tuple[FileRecord, ...]
    dataset_files: tuple[FileRecord, ...]

    @property
    def has_dataset(self) -> bool:
        return bool(self.dataset_files)


def key_of(plan: Plan, settings: Settings) -> str:
    """Identity of the release folder: the plan, the namespace that the cards name, and the templates."""
    templates = dict(cards.template_texts())
    return digest(
        {"plan": plan.key, "version": VERSION, "namespace": settings.namespace, "templates": templates}
    )


def find(plan: Plan, settings: Settings) -> ReleaseFolder | None:
    """The release folder of this plan, if it stands and every file has its recorded size."""
    found = load(settings.releases / plan.name / plan.version)
    return found if found and found.key == key_of(plan, settings) else None


def load(folder: Path) -> ReleaseFolder | None:
    """The release in ``folder``, or None if there is none or a file is missing or of another size."""
    try:
        data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        release = build(Release, {**data["release"], "location": plain(NOWHERE)})
        model = build(Model, {**data["model"], "releases": []})
        verdicts = tuple(gates.Verdict(**entry) for entry in data["verdicts"])
        parts = {part: tuple(FileRecord(**e) for e in data["files"][part]) for part in ("model", "dataset")}
        for part, files in parts.items():
            if any((folder / part / file.path).stat().st_size != file.size_bytes for file in files):
                return None
        return ReleaseFolder(folder, data["key"], model, release, verdicts, parts["model"], parts["dataset"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def with_signatures(release: ReleaseFolder) -> ReleaseFolder:
    """The release after ``model.sig`` was written into its folders: its record lists them, so they are published."""
    path = release.folder / RECORD
    with locked(release.folder.with_name(f".{release.release.version}.lock")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for part in ("model", "dataset"):
            signature = release.folder / part / provenance.SIGNATURE
            if signature.is_file():
                size, name = signature.stat().st_size, provenance.SIGNATURE
                others = [entry for entry in data["files"][part] if entry["path"] != name]
                record = FileRecord(name, size, sha256_file(signature))
                data["files"][part] = sorted([*others, vars(record)], key=lambda entry: str(entry["path"]))
        write_atomic(path, pretty_json(data))
    found = load(release.folder)
    assert found
    return found


def assemble(
    checked: CheckedRecipe,
    plan: Plan,
    artifacts: Mapping[str, Artifact],
    world: World,
    settings: Settings,
    report: Reporter,
) -> ReleaseFolder:
    """Make the release folder. Raises ZooError when what it says of itself does not agree."""
    assert checked.recipe
    target = settings.releases / plan.name / plan.version
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{plan.version}.lock"):
        if found := find(plan, settings):
            return found
        for left in target.parent.glob(f".{plan.version}.new-*"):
            shutil.rmtree(left)
        temporary = Path(tempfile.mkdtemp(prefix=f".{plan.version}.new-", dir=target.parent))
        _Assembler(checked, checked.recipe, plan, artifacts, world, settings, temporary).write()
        report.say("checking that recipe, headers, cards and manifest agree")
        made = load(temporary)
        assert made
        if disagreements := agreement.disagreements(checked.recipe, made.release, temporary):
            shutil.rmtree(temporary)
            raise ZooError(
                "\n".join(["the release does not agree with itself", *disagreements]),
                safe="Nothing was published; the finished steps are kept.",
                remedy="If a key of the recipe is wrong, mend it; else report this as a fault of the program",
            )
        temporary.chmod(0o755)
        old = target.with_name(f".{plan.version}.old")
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        temporary.rename(target)
        fsync_folder(target.parent)
        shutil.rmtree(old, ignore_errors=True)
    found = find(plan, settings)
    assert found
    return found


class _Assembler:
    def __init__(
        self,
        checked: CheckedRecipe,
        recipe: Recipe,
        plan: Plan,
        artifacts: Mapping[str, Artifact],
        world: World,
        settings: Settings,
        out: Path,
    ) -> None:
        self.checked = checked
        self.recipe = recipe
        self.plan = plan
        self.artifacts = artifacts
        self.world = world
        self.settings = settings
        self.out = out
        self.makers = file_makers(recipe)

    def write(self) -> None:
        model_folder = self.out / "model"
        evidence = self._evidence()
        for type_, maker in self.makers.items():
            place_file(
                self.artifacts[maker].path("model.gguf"), model_folder / file_name(self.recipe.name, type_)
            )
        if "imatrix" in self.artifacts:
            place_file(self.artifacts["imatrix"].path(IMATRIX), model_folder / IMATRIX)
        for name, content in evidence.items():
            write_atomic(model_folder / "evidence" / name, content)
        write_atomic(model_folder / "recipe.yaml", self.checked.text)
        release = self._release()
        release = dataclasses.replace(release, evidence=tuple(self._evidence_records(model_folder)))
        share = self._valid_share()
        verdicts = gates.judge(self.recipe, release.files, release.training, share)
        write_atomic(model_folder / "evidence" / "gates.json", pretty_json([vars(v) for v in verdicts]))
        release = dataclasses.replace(release, evidence=tuple(self._evidence_records(model_folder)))
        model = self._model()
        write_atomic(
            model_folder / "README.md", cards.model_card(self.recipe, model, release, self.settings.namespace)
        )
        if release.dataset:
            self._dataset(model, release)
        self._provenance(model, release)
        self._seal(model_folder)
        dataset_folder = self.out / "dataset"
        record = {
            "key": key_of(self.plan, self.settings),
            "model": {k: v for k, v in plain(model).items() if k != "releases"},
            "release": {k: v for k, v in plain(release).items() if k != "location"},
            "verdicts": [vars(v) for v in verdicts],
            "files": {
                "model": [vars(f) for f in records(model_folder)],
                "dataset": [vars(f) for f in records(dataset_folder)] if release.dataset else [],
            },
        }
        write_atomic(self.out / RECORD, pretty_json(record))

    def _model(self) -> Model:
        r = self.recipe
        return Model(r.name, r.summary, r.task, r.languages, r.owners, r.good_at, r.bad_at, ())

    def _release(self) -> Release:
        recipe, exported = self.recipe, self.artifacts["export"].facts
        architecture = Architecture(
            name=exported["architecture"],
            parameters=exported["parameters"],
            context_tokens=exported["context_tokens"],
            layers=exported["block_count"],
            vocabulary_size=exported["vocabulary_size"],
            template_sha256=exported["template_sha256"],
        )
        return Release(
            version=recipe.version,
            date=recipe.date,
            licence=recipe.licence,
            architecture=architecture,
            files=tuple(self._file(type_) for type_ in self.makers),
            training=self._training(),
            dataset=self._dataset_record(),
            lineage=tuple(self._lineage()),
            evidence=(),
            tools=tuple(sorted(f"{n} {v}" for n, v in self.world.tools.items() if n in self._tools_used())),
            recipe=RecipeRecord(
                Path(self.checked.file).name, _sha256(self.checked.text), self.checked.text.decode("utf-8")
            ),
            location=NOWHERE,
        )

    def _tools_used(self) -> set[str]:
        return {tool for step in self.plan.steps for tool in tools_of(step.stage, step.spec)}

    def _file(self, type_: str) -> ModelFile:
        artifact = self.artifacts[self.makers[type_]]
        (record,) = (file for file in artifact.files if file.path == "model.gguf")
        facts, evaluation = artifact.facts, self.artifacts["evaluate"].facts
        measured = evaluation["evaluation"]
        candidate = measured["candidates"].get(type_)
        source = candidate or measured["reference"]
        contexts = [n for n in memory.CONTEXTS if n <= facts["context_tokens"]] or [facts["context_tokens"]]
        return ModelFile(
            path=file_name(self.recipe.name, type_),
            type=type_,
            size_bytes=record.size_bytes,
            sha256=record.sha256,
            bits_per_weight=facts["bits_per_weight"],
            tensors=facts["tensors"],
            fallback_tensors=len(facts.get("quantize", {}).get("fallbacks", [])),
            memory=tuple(MemoryNeed(n, _need(record.size_bytes, facts, n)) for n in contexts),
            perplexity=source["perplexity"],
            perplexity_se=source["perplexity_se"],
            loss=_loss(candidate) if candidate else None,
            smoke_passed=evaluation["smoke"][type_]["passed"],
            speeds=(self._speed(type_),),
            probes=self._probes(type_),
            imatrix_sha256=facts.get("quantize", {}).get("imatrix_sha256"),
            tensor_types=tuple(
                TypeCount(name, count) for name, count in sorted(facts["tensor_types"].items())
            ),
        )

    def _speed(self, type_: str) -> Speed:
        report = self.artifacts[f"benchmark/{type_}"].json("bench.json")
        summary, device = report["summary"], report["device"]
        return Speed(
            device=device["label"] or device["board_model"] or device["cpu_model"] or "unknown machine",
            cpu=device["cpu_model"] or device["machine"] or "unknown",
            threads=report["settings"]["threads"],
            prompt_tokens_per_second=summary["prompt_tokens_per_second"]["median"],
            decode_tokens_per_second=summary["decode_tokens_per_second"]["median"],
            time_to_first_token_seconds=summary["time_to_first_token_seconds"]["median"],
            load_seconds=summary["load_seconds"],
            peak_memory_bytes=summary["peak_memory_bytes"],
            valid=report["valid"],
            reasons=tuple(report["reasons"]),
            evidence=f"bench-{type_}.json",
        )

    def _probes(self, type_: str) -> tuple[ProbeScore, ...]:
        artifact = self.artifacts.get(f"probe/{type_}")
        return tuple(build(ProbeScore, score) for score in artifact.facts["scores"]) if artifact else ()

    def _training(self) -> Training | None:
        if "distill" not in self.artifacts or not self.recipe.distill:
            return None
        facts = self.artifacts["distill"].facts
        return Training(
            method=facts["method"],
            adapter=facts["adapter"],
            steps=facts["steps"],
            rows=facts["rows"],
            before=_held_out(facts["heldout_before"]),
            after=_held_out(facts["heldout_after"]),
        )

    def _valid_share(self) -> float | None:
        if "label" not in self.artifacts:
            return None
        facts = self.artifacts["label"].facts
        return float(facts["valid_rows"] / facts["rows"])

    def _dataset_record(self) -> Dataset | None:
        if "label" not in self.artifacts:
            return None
        facts = self.artifacts["label"].facts
        files = [*self.recipe.corpus.train, *self.recipe.corpus.heldout]
        licences = sorted({file.licence for file in files})
        return Dataset(facts["rows"], facts["valid_rows"], " AND ".join(licences), self.recipe.languages)

    def _lineage(self) -> Iterator[Ancestor]:
        for role, source in (("student", self.recipe.student), ("teacher", self.recipe.teacher)):
            if source:
                sha256 = source.sha256 or self.checked.lock.sha256(source.source)
                yield Ancestor(role, source.source, source.licence, source.upstream, sha256)
        for role in ("train", "heldout", "evaluation", "calibration"):
            for file in getattr(self.recipe.corpus, role):
                sha256 = self.world.files[file.path]
                yield Ancestor(role, f"{file.path} ({file.source})", file.licence, None, sha256)

    def _evidence(self) -> dict[str, str | bytes]:
        found: dict[str, str | bytes] = {}
        for step, name in (
            ("parity", "parity.json"),
            ("evaluate", "evaluation.json"),
            ("evaluate", "kld-curve.svg"),
            ("evaluate", "smoke.json"),
            ("label", "label-report.json"),
            ("distill", "distill-report.json"),
            ("distill", "distill-timing.json"),
        ):
            if step in self.artifacts:
                found[name] = self.artifacts[step].path(name).read_bytes()
        for type_, maker in self.makers.items():
            for suffix in ("json", "csv"):
                found[f"bench-{type_}.{suffix}"] = (
                    self.artifacts[f"benchmark/{type_}"].path(f"bench.{suffix}").read_bytes()
                )
            if report := self.artifacts[maker].facts.get("quantize"):
                found[f"quantize-{type_}.json"] = pretty_json(report)
        if self.recipe.probes:
            asked = {type_: self.artifacts[f"probe/{type_}"].json("probes.json") for type_ in self.makers}
            found["probes.json"] = pretty_json(probe_report.evidence(asked))
        if "label" in self.artifacts:
            splits = {part: self._rows(part) for part in ("train", "heldout")}
            found[distributions.FILE] = pretty_json(distributions.report(splits, self.recipe.languages))
        if "imatrix" in self.artifacts:
            found["imatrix.json"] = pretty_json(self.artifacts["imatrix"].facts)
        digests = {
            file_name(self.recipe.name, type_): fingerprint.digests(self.artifacts[maker].path("model.gguf"))
            for type_, maker in self.makers.items()
        }
        found["tensors.json"] = pretty_json({"format": TENSORS_FORMAT, "files": digests})
        steps = [{"id": s.id, "key": s.key, "spec": s.spec, "inputs": s.inputs} for s in self.plan.steps]
        found["plan.json"] = pretty_json({"steps": steps, "tools": self.world.tools})
        return found

    def _evidence_records(self, model_folder: Path) -> Iterator[EvidenceFile]:
        for record in records(model_folder / "evidence"):
            yield EvidenceFile(record.path, record.size_bytes, record.sha256)

    def _rows(self, part: str) -> list[dict[str, Any]]:
        text = self.artifacts["label"].path(f"{part}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.split("\n") if line]

    def _dataset(self, model: Model, release: Release) -> None:
        folder = self.out / "dataset"
        label, prompts = self.artifacts["label"], self.artifacts["corpus/prompts"]
        splits, files = [], []
        for part in ("train", "heldout"):
            place_file(label.path(f"{part}.jsonl"), folder / "data" / f"{part}.jsonl")
            rows = self._rows(part)
            facts = prompts.facts[part]
            files += [{"part": part, **file} for file in facts]
            if not rows:
                continue
            lengths = sorted(
                len(m["content"]) for row in rows for m in row["messages"] if m["role"] == "user"
            )
            tags: dict[str, int] = {}
            for row in rows:
                for tag in row["tags"]:
                    tags[tag] = tags.get(tag, 0) + 1
            splits.append(
                {
                    "name": part,
                    "path": f"data/{part}.jsonl",
                    "records": len(rows),
                    "json": sum(row["requires_json"] for row in rows),
                    "sha256": sha256_file(folder / "data" / f"{part}.jsonl"),
                    "lengths": {"min": lengths[0], "median": lengths[len(lengths) // 2], "max": lengths[-1]},
                    "tags": tags,
                }
            )
        card = cards.dataset_card(self.recipe, model, release, self.settings.namespace, splits, files)
        write_atomic(folder / "README.md", card)
        self._seal(folder)

    def _provenance(self, model: Model, release: Release) -> None:
        """Write where the release comes from, for programs."""
        folder, publish, namespace = self.out / "model", self.recipe.publish, self.settings.namespace
        subjects = {f"{namespace}/{publish.model}": records(folder)}
        if release.dataset and publish.dataset:
            subjects[f"{namespace}/{publish.dataset}"] = records(self.out / "dataset")
        steps = [{"id": step.id, "stage": step.stage, "key": step.key} for step in self.plan.steps]
        key = key_of(self.plan, self.settings)
        builder = builder_id(self.settings.text("builder"), os.environ)
        revisions = {uri: pin.revision for uri, pin in self.checked.lock.pins.items() if pin.revision}
        told = statement(release, model.name, subjects, steps, builder, key, revisions)
        write_atomic(folder / provenance.STATEMENT, pretty_json(told))
        write_atomic(folder / provenance.BOM, bom(model, release, namespace, key))

    def _seal(self, folder: Path) -> None:
        """Write MANIFEST.json and SHA256SUMS over everything else in the folder."""
        found = records(folder)
        manifest = {
            "name": self.recipe.name,
            "version": self.recipe.version,
            "files": [vars(f) for f in found],
        }
        write_atomic(folder / "MANIFEST.json", pretty_json(manifest))
        write_atomic(folder / "SHA256SUMS", "".join(f"{f.sha256}  {f.path}\n" for f in found))


def _need(size_bytes: int, facts: Mapping[str, Any], context_tokens: int) -> int:
    kv_bytes = facts["kv_cache_bytes_per_token"] * context_tokens
    return memory.need_bytes(size_bytes, kv_bytes, facts["vocabulary_size"], context_tokens)


def _loss(candidate: Mapping[str, Any]) -> Loss:
    languages = [{"language": name, **figures} for name, figures in candidate["languages"].items()]
    loss: Loss = build(Loss, {**candidate, "languages": languages})
    return loss


def _held_out(data: Mapping[str, Any]) -> HeldOut:
    if data["perplexity"] is None:
        raise ZooError(
            "the held-out perplexity is not finite", remedy="Lower the learning rate in the recipe"
        )
    held: HeldOut = build(HeldOut, data)
    return held


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
