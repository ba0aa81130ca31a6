"""The files of a release, rebuilt from its recorded recipe in a separate work folder."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from catalog import jsontext, sharding
from catalog.checks import CheckedRecipe, check_recipe
from catalog.lock import Lock
from catalog.recipe import Recipe, build
from catalog.release import ModelFile, Release
from catalog.shapes import WrongShape, shaped
from catalog.words import counted
from zoo.errors import Damaged, InputError, ZooError
from zoo.files.digests import digest, sha256_file
from zoo.gguf import fingerprint, wording
from zoo.gguf.facts import FileFacts, header_facts
from zoo.gguf.header import rewrite_header
from zoo.machine import processor
from zoo.machine.processor import Processor
from zoo.plan import costs, engine, plan, preflight, world
from zoo.plan.plan import Plan, World, file_makers, file_name
from zoo.plan.prepare import vocabulary
from zoo.plan.store import Workspace
from zoo.progress import Reporter
from zoo.release import kept
from zoo.release.folder import folders
from zoo.release.words import header_words
from zoo.settings import Settings, Value
from zoo.stages.artifact import MODEL_FILE, Artifact
from zoo.stages.table import is_asked
from zoo.upkeep.reproduce.compare import Fingerprint, Fingerprints


@dataclass(frozen=True)
class Prepared:
    """What will run: a plan with only the steps that the files need, and the world it runs in."""

    checked: CheckedRecipe
    recipe: Recipe
    plan: Plan
    world: World
    settings: Settings

    @property
    def folder(self) -> Path:
        """The work folder of this reproduction, which nothing else shares."""
        return self.settings.work


def prepare(name: str, release: Release, settings: Settings) -> Prepared:
    """Check the recorded recipe and its inputs and plan the files.

    Raises InputError when this program does not understand the recipe, ZooError if an input has changed.
    """
    folder = folder_of(name, release, settings)
    recipes = folder / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    path = recipes / f"{name}.yaml"
    path.write_bytes(release.recipe.text.encode())
    lock = settings.root / "recipes" / f"{name}.lock.yaml"
    if lock.is_file():
        shutil.copyfile(lock, recipes / lock.name)
    checked = check_recipe(path, settings.root)
    if checked.recipe is None:
        problems = "\n".join(f"  {problem.what}. {problem.instead}" for problem in checked.problems)
        raise InputError(
            f"the recorded recipe of {name} {release.version} cannot be built here\n{problems}",
            safe="Nothing was made.",
            remedy="Restore the missing parts, or use the version of this program that made the release",
        )
    now = world.look(checked.recipe, settings, checked.files)
    seen = _then(now, recorded_plan(name, release, settings))
    _check_inputs(release, checked.recipe, seen, checked.lock)
    own = _elsewhere(settings, folder / "work")
    made = _only_files(
        plan.make(checked.recipe, digest(checked.text.decode()), checked.lock, seen), checked.recipe
    )
    return Prepared(checked, checked.recipe, made, seen, own)


def folder_of(name: str, release: Release, settings: Settings) -> Path:
    """Where a reproduction works: a folder without results of the builds, so that everything is made again."""
    return settings.work.parent / "reproduce" / f"{name}-{release.version}"


def run(prepared: Prepared, report: Reporter) -> dict[str, Path]:
    """Make the files; path in the release -> file. An interrupted run resumes where it stopped."""
    to_run = [
        id_ for id_, why in engine.status(prepared.plan, Workspace(prepared.folder)).items() if why != "reuse"
    ]
    if any((step.stage == "ask" or is_asked(step.spec)) and step.id in to_run for step in prepared.plan.steps):
        raise ZooError(
            f"{prepared.recipe.name} was trained on answers of a server, which does not answer the same twice",
            safe="Nothing was made.",
            remedy="Compare the quantized files with the released reference file: add --quants-only",
        )
    student = costs.Known(vocabulary=vocabulary(prepared.recipe, prepared.settings))
    estimate = costs.estimate(prepared.recipe, prepared.plan, to_run, 0, {}, student)
    work = preflight.Build(prepared.recipe, prepared.plan, to_run, prepared.world.tools)
    preflight.check(work, estimate, prepared.settings, report)
    report.say(f"{counted(len(to_run), 'step')} to run: {', '.join(to_run) or 'none'}")

    def use(built: engine.Built) -> dict[str, Path]:
        recipe = prepared.recipe
        return {
            file_name(recipe.name, type_): _worded(prepared, built.artifacts[maker], file_name(recipe.name, type_))
            for type_, maker in file_makers(recipe).items()
        }

    return engine.run_and(prepared.plan, prepared.settings, report, use)


def _worded(prepared: Prepared, artifact: Artifact, name: str) -> Path:
    """The file of a step with the words of its header, as a release has it."""
    target = prepared.folder / "files" / name
    target.parent.mkdir(exist_ok=True)
    facts: FileFacts = build(FileFacts, artifact.facts)
    wording.place(artifact.path(MODEL_FILE), target, header_words(prepared.recipe, facts))
    return target


def begin_with(prepared: Prepared, release: Release, settings: Settings) -> Prepared:
    """Use the released reference file, without the words of its header, instead of making it: only the quants are
    rebuilt.

    Raises ZooError if the file is not in the release folder or has changed since the release, Damaged if it is not the
    measured one.
    """
    reference = release.files[0]
    copy = kept.published(prepared.recipe.name, release, settings)
    folder = copy.folder if copy else settings.releases / prepared.recipe.name / release.version
    there = folder / "model" / reference.path
    if not there.is_file():
        raise ZooError(
            f"the released {reference.path} is not on this machine",
            where=settings.shown(there),
            remedy="Download it to that place, or leave out --quants-only to build it from its source",
        )
    if sha256_file(there) != reference.sha256:
        raise Damaged(f"{reference.path} has changed since the release", where=settings.shown(there))
    step = prepared.plan.step("export")
    workspace = Workspace(prepared.folder)
    if workspace.finished(step.key) is None:
        out = workspace.partial(step.key) / "out"
        out.mkdir(exist_ok=True)
        rewrite_header(there, out / MODEL_FILE, wording.removed())
        refuse_other_measured(reference, there)
        workspace.finish(step.key, step.stage, out, header_facts(out / MODEL_FILE), step.spec)
    return dataclasses.replace(prepared, plan=_only_files(prepared.plan, prepared.recipe, given="export"))


def refuse_other_measured(file: ModelFile, there: Path) -> None:
    """Raises Damaged if a released file, without the words of its header, is not the one that was measured."""
    if file.measured_sha256 not in (None, found := wording.unworded_sha256(there)):
        raise Damaged(
            f"{file.path} is not the file that was measured: without the words of its header it has sha256 {found}, "
            f"but {file.measured_sha256} is recorded",
            where="the catalog",
            safe="Nothing was recorded.",
            remedy="Do not rely on this version's figures. Publish a new one, and withdraw this one with: "
            "zoo yank NAME@VERSION --reason TEXT",
        )


class _Trained(TypedDict):
    """What of a step's spec may change the bytes of a training."""

    threads: NotRequired[int]
    processes: NotRequired[int]
    sharding: NotRequired[str]
    device: NotRequired[str]


class _Step(TypedDict):
    id: NotRequired[str]
    spec: _Trained
    processor: NotRequired[object]


class PlanRecord(TypedDict):
    """What is read of the evidence file plan.json. processor: see ``zoo.machine.processor.from_record``."""

    steps: list[_Step]
    processor: NotRequired[object]


def recorded_plan(name: str, release: Release, settings: Settings) -> PlanRecord | None:
    """The plan that the release was made by, where it is recorded and here."""
    with contextlib.suppress(WrongShape):
        return shaped(recorded_json(name, release, "plan.json", settings), PlanRecord)
    return None


def recorded_processors(recorded: PlanRecord | None) -> tuple[Processor | None, dict[str, Processor]]:
    """(the processor that a release records, if any; those of single steps that another one finished, by step id)."""
    if recorded is None:
        return None, {}
    then, others = processor.from_record(recorded.get("processor")), {}
    for step in recorded["steps"]:
        made_by, id_ = processor.from_record(step.get("processor")), step.get("id", "")
        # What llama.cpp was compiled for is recorded once, of the machine that put the release together.
        if made_by is not None and (then is None or made_by != dataclasses.replace(then, kernels=())):
            others[id_] = made_by
    return then, others


def recorded_fingerprints(name: str, release: Release, settings: Settings) -> dict[str, Fingerprint]:
    """The recorded fingerprint of each file; none where they are missing or of another form."""
    with contextlib.suppress(WrongShape):
        found = shaped(recorded_json(name, release, "tensors.json", settings), Fingerprints)
        return found["files"] if found["format"] == fingerprint.FORMAT else {}
    return {}


def recorded_json(name: str, release: Release, path: str, settings: Settings) -> object:
    """An evidence file of the release from this machine, if it is the one that the catalog records; else None.

    The catalog may be somebody else's, so the file may hold anything.
    """
    entry = next((file for file in release.evidence if file.path == path), None)
    if entry is None:
        return None
    places = (
        settings.evidence / name / release.version / path,
        *(one / "model" / "evidence" / path for one in folders(settings.releases, name, release.version)),
    )
    for place in places:
        if place.is_file() and sha256_file(place) == entry.sha256:
            with contextlib.suppress(jsontext.NotJson):
                return jsontext.read(place)
    return None


def _then(seen: World, recorded: PlanRecord | None) -> World:
    """The world with the recorded training threads and devices, because they change trained bytes, and with this
    processor alone, because every step is made here.
    """
    seen = dataclasses.replace(seen, processors=seen.processors[:1])
    specs = [step["spec"] for step in recorded["steps"]] if recorded else []
    trained = next((spec for spec in specs if "threads" in spec and "device" in spec), None)
    if trained is None:
        return seen
    labelled = next((spec["device"] for spec in specs if "threads" not in spec and "device" in spec), "cpu")
    return dataclasses.replace(
        seen, threads=trained["threads"], device=trained["device"], teacher_device=labelled,
        processes=trained.get("processes", 1), sharding=trained.get("sharding", sharding.NONE),
    )  # fmt: skip


def _check_inputs(release: Release, recipe: Recipe, seen: World, lock: Lock) -> None:
    """Every input with its digest in the release's record."""
    wrong = []
    recorded = {(ancestor.role, ancestor.source): ancestor.sha256 for ancestor in release.lineage}
    for role, files in recipe.data.items():
        for file in files:
            then, now = recorded.get((role, f"{file.path} ({file.source})")), seen.files.get(file.path)
            if then != now:
                wrong.append(f"  {file.path}: sha256 {_short(now)}, but {_short(then)} is recorded")
    for role in ("student", "teacher"):
        source = getattr(recipe, role)
        if source:
            then, now = recorded.get((role, source.source)), source.sha256 or lock.sha256(source.source)
            if then != now:
                wrong.append(f"  {source.source}: pinned to {_short(now)}, but {_short(then)} is recorded")
    if wrong:
        raise ZooError(
            "\n".join(["the inputs differ from those that the release was made from", *wrong]),
            safe="Nothing was made.",
            remedy="Restore them from version control, at the commit of the release",
        )


def _short(sha256: str | None) -> str:
    return sha256[:16] if sha256 else "none"


def _elsewhere(settings: Settings, work: Path) -> Settings:
    return dataclasses.replace(
        settings, values={**settings.values, "work": Value(str(work), "zoo reproduce")}
    )


def _only_files(made: Plan, recipe: Recipe, given: str = "") -> Plan:
    """Only the steps that make the files, without measurements. The steps that made the step ``given`` are removed
    too."""
    wanted = set(file_makers(recipe).values())
    for step in reversed(made.steps):
        if step.id in wanted and step.id != given:
            wanted |= set(step.inputs.values())
    return dataclasses.replace(made, steps=tuple(step for step in made.steps if step.id in wanted))
