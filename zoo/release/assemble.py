"""The steps of one release folder: everything is written next to its final place, checked, then moved there."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from catalog.checks import CheckedRecipe
from catalog.recipe import build, plain
from zoo import commandline
from zoo.errors import ZooError
from zoo.files.digests import pretty_json
from zoo.files.listing import records
from zoo.files.locks import locked
from zoo.files.whole import fsync, place_file, sync, write_atomic
from zoo.gguf import wording
from zoo.gguf.facts import FileFacts
from zoo.judge import gates
from zoo.plan.plan import Plan, World, file_name
from zoo.progress import Reporter
from zoo.release import cards, dataset, evidence, licencetexts, news, record, selfcheck
from zoo.release.folder import RECORD, ReleaseFolder, find, key_of, load
from zoo.release.kept import set_aside
from zoo.release.material import Material
from zoo.release.sealing import seal, write_provenance
from zoo.release.words import header_words
from zoo.settings import Settings
from zoo.stages.artifact import IMATRIX_FILE, MODEL_FILE, Artifact


def assemble(
    checked: CheckedRecipe,
    plan: Plan,
    artifacts: Mapping[str, Artifact],
    world: World,
    settings: Settings,
    report: Reporter,
) -> ReleaseFolder:
    """Make the release folder. Raises ZooError if its parts contradict each other."""
    assert checked.recipe
    target = settings.releases / plan.name / plan.version
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{plan.version}.lock"):
        if found := find(plan, settings):
            return found
        with unfinished(target) as temporary:
            _write(Material(checked, checked.recipe, plan, artifacts, world, settings), temporary)
            report.say("checking that recipe, headers, cards and manifest agree")
            made = load(temporary)
            assert made
            if disagreements := selfcheck.disagreements(checked.recipe, made.release, temporary):
                raise ZooError(
                    "\n".join(["parts of the release contradict each other", *disagreements]),
                    safe="Nothing was published; the finished steps are kept.",
                    remedy="If a key of the recipe is wrong, fix it. Otherwise report this as a bug",
                )
            temporary.chmod(0o755)
            sync(temporary)
            old = target.with_name(f".{plan.version}.old")
            shutil.rmtree(old, ignore_errors=True)
            # A part of the files, such as what a pull fetched, is kept but is no copy to rely on.
            if (kept := set_aside(target, plan.name, settings)) and load(kept):
                report.say(
                    f"{plan.name} {plan.version} is published: its published files are kept in {settings.shown(kept)},"
                    f" for {commandline.line(settings, 'publish', plan.name, '--repair')}, and for --mirror"
                )
            if target.exists():
                target.rename(old)
            temporary.rename(target)
            fsync(target.parent)
            shutil.rmtree(old, ignore_errors=True)
    found = find(plan, settings)
    assert found
    return found


@contextlib.contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A folder next to ``target``, to be renamed to it. Otherwise it is deleted: it may be what fills the disk."""
    prefix = f".{target.name}.new-"
    for left in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(left)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(material: Material, out: Path) -> None:
    recipe, model_folder, dataset_folder = material.recipe, out / "model", out / "dataset"
    evidence_folder = model_folder / "evidence"
    _place_models(material, model_folder)
    for name, content in evidence.contents(material, model_folder).items():
        write_atomic(evidence_folder / name, content)
    write_atomic(model_folder / "recipe.yaml", material.checked.text)
    licencetexts.place(material, model_folder)
    model, release = record.model(recipe), record.release(material, model_folder)
    release = dataclasses.replace(release, news=news.of(recipe, release, material.settings))
    verdicts = gates.judge(recipe, release.files, release.training, record.valid_share(material.artifacts))
    write_atomic(evidence_folder / "gates.json", pretty_json([vars(v) for v in verdicts]))
    release = dataclasses.replace(release, evidence=evidence.listed(evidence_folder))
    remarks = cards.remarks(material.artifacts["parity"].facts)
    card = cards.model_card(recipe, model, release, material.settings.namespace, remarks)
    write_atomic(model_folder / "README.md", card)
    if release.dataset:
        dataset.write(material, dataset_folder, model, release, evidence_folder)
    write_provenance(material, out, model, release)
    seal(recipe, model_folder)
    told = {
        "key": key_of(material.plan, material.settings),
        "model": {k: v for k, v in plain(model).items() if k != "releases"},
        "release": {k: v for k, v in plain(release).items() if k != "location"},
        "verdicts": [vars(v) for v in verdicts],
        "files": {
            "model": [vars(f) for f in records(model_folder)],
            "dataset": [vars(f) for f in records(dataset_folder)] if release.dataset else [],
        },
    }
    write_atomic(out / RECORD, pretty_json(told))


def _place_models(material: Material, folder: Path) -> None:
    for type_, maker in material.makers.items():
        artifact = material.artifacts[maker]
        facts: FileFacts = build(FileFacts, artifact.facts)
        target = folder / file_name(material.recipe.name, type_)
        target.parent.mkdir(exist_ok=True)
        wording.place(artifact.path(MODEL_FILE), target, header_words(material.recipe, facts))
        budget = facts.quantize.budget if facts.quantize else None
        if budget and target.stat().st_size > budget.limit_bytes:
            raise ZooError(
                f"{target.name} has {target.stat().st_size:,} bytes with the words of its header, more than the "
                f"{budget.limit_bytes:,} allowed",
                safe="Nothing was published; the finished steps are kept.",
                remedy="Shorten the summary in the recipe",
            )
    if "imatrix" in material.artifacts:
        place_file(material.artifacts["imatrix"].path(IMATRIX_FILE), folder / IMATRIX_FILE)
