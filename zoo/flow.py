"""The walk of one recipe, step by step: check, plan, build, judge, publish, record. Called by the commands."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import yanks
from catalog.checks import CheckedRecipe, check_recipe
from catalog.problems import instead_of
from catalog.recipe import Recipe
from catalog.release import Location, Repository
from zoo import assemble, catalogfile, costs, engine, foresight, hub, preflight, sources, world, yanking
from zoo.assemble import ReleaseFolder
from zoo.errors import GateRefused, InputError, ZooError
from zoo.files.digests import digest
from zoo.gguf.header import read_header
from zoo.output import megabytes
from zoo.plan import plan
from zoo.plan.plan import Plan, World
from zoo.plan.store import Workspace
from zoo.progress import Reporter
from zoo.publish import apply as publishing
from zoo.publish import record
from zoo.publish.apply import Published, Target, VersionTaken
from zoo.settings import Settings
from zoo.stages.artifact import Artifact


@dataclass(frozen=True)
class Planned:
    """A sound recipe with its plan. ``status`` says per step whether it runs, and why."""

    checked: CheckedRecipe
    recipe: Recipe
    world: World
    plan: Plan
    status: dict[str, str]
    costs: costs.Costs

    @property
    def to_run(self) -> list[str]:
        return [id_ for id_, reason in self.status.items() if reason != "reuse"]


def find_recipe(name: str, settings: Settings) -> Path:
    """A recipe by file path, or by name in ``recipes/``. Raises InputError with the nearest name."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        return path
    found = settings.root / "recipes" / f"{name}.yaml"
    if not found.is_file():
        names = sorted(
            p.stem for p in (settings.root / "recipes").glob("*.yaml") if not p.name.endswith(".lock.yaml")
        )
        remedy = instead_of(name, names, "There are none yet. Make one with: zoo new NAME")
        raise InputError(f"there is no recipe {name!r}", remedy=remedy)
    return found


def make_plan(name: str, settings: Settings) -> Planned:
    """Check and plan a recipe. Raises InputError with every problem, ModelFileError for a source that is unusable."""
    checked = check_recipe(find_recipe(name, settings), settings.root)
    found = [*checked.problems, *foresight.problems(checked, settings.root, raising=not checked.problems)]
    foresight.refuse(checked.file, found, safe="Nothing was made.")
    assert checked.recipe
    seen = world.look(checked.recipe, settings)
    made = plan.make(checked.recipe, digest(checked.text.decode()), checked.lock, seen)
    status = engine.status(made, Workspace(settings.work))
    to_run = [id_ for id_, reason in status.items() if reason != "reuse"]
    rows = _prompt_rows(checked.recipe, settings)
    return Planned(
        checked,
        checked.recipe,
        seen,
        made,
        status,
        costs.estimate(checked.recipe, made, to_run, rows, _weights(checked.recipe, settings)),
    )


def build(planned: Planned, settings: Settings, report: Reporter) -> ReleaseFolder:
    """Run what is missing and assemble the release folder."""
    found = assemble.find(planned.plan, settings)
    if found is not None:
        return found
    preflight.check(
        planned.recipe, planned.plan, planned.to_run, planned.costs, planned.world.tools, settings, report
    )
    announce(planned, report)

    def use(built: engine.Built) -> ReleaseFolder:
        return assemble.assemble(
            planned.checked, planned.plan, built.artifacts, planned.world, settings, report
        )

    return engine.run_and(planned.plan, settings, report, use, lambda made: _judge(planned, made))


def _judge(planned: Planned, made: Mapping[str, Artifact]) -> None:
    """Once both sources are imported, before anything is made of them. Raises InputError."""
    wanted = [step.id for step in planned.plan.steps if step.id in foresight.IMPORTS]
    if made and list(made)[-1] in wanted:
        foresight.refuse_imported(planned.checked, made)


def announce(planned: Planned, report: Reporter) -> None:
    """Say what the run will cost before it starts."""
    if not planned.costs.steps:
        return
    total = len(planned.plan.steps)
    report.say(
        f"{planned.plan.name} {planned.plan.version}: {planned.costs.steps} of {total} steps to run, "
        f"{needs(planned.costs)}"
    )
    if planned.costs.fetch_bytes:
        report.say(f"  fetch {megabytes(planned.costs.fetch_bytes)}")
    for line in planned.costs.work:
        report.say(f"  {line}")


def needs(found: costs.Costs) -> str:
    """What a plan needs of the machine, for a sentence."""
    if found.disk_bytes is None or found.memory_bytes is None:
        return "disk and memory unknown (zoo lock records how large the sources are)"
    return f"about {megabytes(found.disk_bytes)} of disk and {megabytes(found.memory_bytes)} of memory"


def refuse_failed_gates(release: ReleaseFolder) -> None:
    """Raises GateRefused with every gate that is not kept, and by how much."""
    broken = [verdict.sentence for verdict in release.verdicts if not verdict.kept]
    if broken:
        raise GateRefused(
            "\n".join(
                [
                    f"{release.model.name} {release.release.version} is refused",
                    *(f"  {line}" for line in broken),
                ]
            ),
            safe="Nothing was published. What was built is kept.",
            remedy=f"Look at {release.folder}/model/evidence, then change the recipe",
        )


def targets(planned: Planned, release: ReleaseFolder, settings: Settings) -> tuple[hub.Hub, list[Target]]:
    """What publishing would do."""
    place = hub.connect(settings.hub, settings.root)
    names = (planned.recipe.publish.model, planned.recipe.publish.dataset)
    return place, publishing.prepare(release, names, settings, place)


def refuse_taken_version(planned: Planned, settings: Settings) -> None:
    """Before dear work: raises VersionTaken when this version is in the catalog and the build at hand is not it."""
    catalog = catalogfile.read_catalog(settings.catalog, settings.shown(settings.catalog))
    there = catalog.release(planned.plan.name, planned.plan.version)
    if there is None or assemble.find(planned.plan, settings):
        return
    why = "from another recipe text"
    if there.recipe.text == planned.checked.text.decode():
        why = "and a new build would not give the same bytes (other tools, settings or measurements)"
    raise VersionTaken(
        f"{planned.plan.name} {planned.plan.version} is released already, {why}",
        safe="Nothing was changed; published versions never change.",
        remedy=f"Raise the version in {planned.checked.file}, or look at it with: zoo show {planned.plan.name}",
    )


def publish(
    planned: Planned, release: ReleaseFolder, settings: Settings, report: Reporter, verify: str = "tree"
) -> Published:
    """Publish and record. verify: ``tree`` or ``full``, which reads every file back."""
    refuse_failed_gates(release)
    record.refuse_unwritable(settings)
    place = hub.connect(settings.hub, settings.root)
    expected = Repository(f"{settings.namespace}/{planned.recipe.publish.model}", "0" * 40, "v0")
    record.refuse_invalid(release, Location(place.name, expected, None), settings)
    names = (planned.recipe.publish.model, planned.recipe.publish.dataset)

    def note(location: Location) -> None:
        if record.record(release, location, settings):
            _keep_banner(release, settings, report)

    return publishing.apply(release, names, settings, place, report, how=verify, record=note)


def _keep_banner(release: ReleaseFolder, settings: Settings, report: Reporter) -> None:
    """The new card replaced the old one, and with it what that said of withdrawn versions."""
    catalog = catalogfile.read_catalog(settings.catalog, settings.shown(settings.catalog))
    model, entry = (
        catalog.model(release.model.name),
        catalog.release(release.model.name, release.release.version),
    )
    if model and entry and yanks.active(model):
        banner = yanking.refresh(model, entry, settings)
        if banner.why:
            report.warn(f"the card does not say yet that older versions are withdrawn: {banner.why}")


def existing_release(planned: Planned, settings: Settings) -> ReleaseFolder:
    """The release folder of this very plan. Raises ZooError when it is not built."""
    found = assemble.find(planned.plan, settings)
    if found is None:
        raise ZooError(
            f"{planned.plan.name} {planned.plan.version} is not built",
            remedy=f"Build it with: zoo build {planned.plan.name}",
        )
    return found


def _prompt_rows(recipe: Recipe, settings: Settings) -> int:
    files = [*recipe.corpus.train, *recipe.corpus.heldout] if recipe.label else []
    return sum((settings.root / file.path).read_bytes().count(b"\n") for file in files)


def _weights(recipe: Recipe, settings: Settings) -> dict[str, int]:
    """Number of weights of every source that is a file on this machine."""
    found = {}
    for uri in {source.source for source in (recipe.student, recipe.teacher) if source}:
        path = None if uri.startswith("hf:") else sources.locate(uri, settings.root)
        if path and path.is_dir():
            # Two bytes for each weight, as most model folders have it.
            found[uri] = sum(file.stat().st_size for file in path.glob("*.safetensors")) // 2
        elif path:
            # A file that cannot be read is told of when it is used.
            with contextlib.suppress(ZooError):
                found[uri] = read_header(path).parameters
    return found
