"""The walk of a release: ``release`` is the list of its steps, each a function of one room. Called by the commands."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import access, placeholders
from catalog.problems import instead_of
from catalog.release import Location, Model, Release, Repository
from zoo import catalogfile, commandline, hub
from zoo.commandline import Command
from zoo.errors import GateRefused, InputError, RemoteError, ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub.folders import FOLDER, Folders
from zoo.hub.located import as_here, at_home, here, hub_of_settings, is_alias, recorded_name
from zoo.hub.spoken import elsewhere, of_hub
from zoo.judge.gates import Verdict
from zoo.plan import corpuslimits, engine, foresight, preflight, prepare, tunecorpus
from zoo.plan.costs import Costs
from zoo.plan.plan import Plan
from zoo.plan.prepare import Planned
from zoo.plan.store import Workspace
from zoo.progress import Reporter
from zoo.publish import apply as publishing
from zoo.publish import line, places, record, staging
from zoo.publish import repaired as repairs
from zoo.publish.apply import Published, Target, VersionTaken
from zoo.publish.asked import USUAL, Asked
from zoo.publish.claims import Claim
from zoo.publish.places import Way
from zoo.publish.repaired import Repaired
from zoo.release import ReleaseFolder, as_built, assemble, early, find, news, otherbuild, reviewed
from zoo.release.provenance import signing
from zoo.release.sign import sign as sign_release
from zoo.release.sign import warn_unsigned
from zoo.settings import Settings
from zoo.stages.artifact import Artifact
from zoo.upkeep import collection, foreign, restore, taken


@dataclass(frozen=True)
class Seal:
    """Whether releases are signed before they are published. key: a private key file; None signs keyless."""

    wanted: bool = False
    key: Path | None = None


@dataclass(frozen=True)
class Released:
    """The result for one recipe."""

    planned: Planned
    published: Published


Ahead = Callable[[Mapping[str, Planned]], None]
"""Makes steps of several plans before they are built one after the other; by the word for the recipe."""


def release(
    recipes: Iterable[str], settings: Settings, report: Reporter, seal: Seal = Seal(), ahead: Ahead | None = None
) -> list[Released]:
    """Release recipes, named or by file. After an interruption the same call resumes; nothing is done twice.

    ahead: called with the recipes that are not released, when all are checked. Raises the ZooError of the step that
    failed; steps finished before it are kept.
    """
    # Check and plan: every problem of every recipe, with its line, before anything is made.
    names = list(recipes)
    made = [prepare.make_plan(recipe, settings) for recipe in names]
    # Where: a model that moved to another hub stays there.
    plans = [(one, at_home(one.plan.name, one.plan.version, settings, report)) for one in made]
    # Refuse early: a catalog that cannot be written, a key that cannot sign, a version that is already published,
    # another model's repository.
    record.refuse_unwritable(settings)
    if seal.wanted:
        signing.refuse_unable(seal.key)
    for planned, there in plans:
        news.refuse_old_words(planned.recipe, planned.checked.file, there)
        if not _recorded(planned, there):
            foresight.refuse_placeholders(planned.checked, safe="Nothing was made.")
        taken.refuse(planned, there)
        if not (find(planned.plan, there) and _recorded(planned, there)):
            refuse_other_owner(planned, there, report)
    if ahead:
        ahead({
            name: planned
            for name, (planned, there) in zip(names, plans, strict=True)
            if not (find(planned.plan, there) or taken.released_before(planned, there))
        })
    done = []
    for planned, there in plans:
        if before := taken.released_before(planned, there):
            taken.say(planned, report, "; this machine has no copy of its files")
            done.append(Released(planned, Published(before, already=True)))
            continue
        # Build: find or make every step, then put the release folder together: files, evidence, cards, provenance.
        # A gate that is missed by what is measured so far stops it.
        folder = taken.copy_of_older_build(planned, there, report) or build(planned, there, report, gated=True)
        # Judge: every gate of the recipe against the evidence.
        refuse_failed_gates(folder)
        # Seal: sign it, because afterwards it never changes.
        if seal.wanted:
            folder, _ = sign_release(folder, there, report, key=seal.key)
        # Publish: one verified commit per repository, then the tags. Record: last, the catalog and its evidence.
        published = publish(planned, folder, there, report)
        done.append(Released(planned, published))
    # Show: the command says where each release is and what to do next.
    return done


def build(planned: Planned, settings: Settings, report: Reporter, *, gated: bool = False) -> ReleaseFolder:
    """Run what is missing and assemble the release folder.

    gated: raise GateRefused as soon as a gate is missed and steps would still follow; else everything is measured.
    """
    found = find(planned.plan, settings) or taken.corrected(planned, settings)
    if found is not None:
        return found
    refuse_unable(planned, settings, report)
    prepare.announce(planned, report)

    def use(built: engine.Built) -> ReleaseFolder:
        return assemble(
            planned.checked, planned.plan, built.artifacts, planned.world, settings, report
        )

    def judge(made: Mapping[str, Artifact]) -> None:
        _judge(planned, made, settings)
        if gated:
            _refuse_early(planned, made, settings)

    return engine.run_and(planned.plan, settings, report, use, judge)


@dataclass(frozen=True)
class Single:
    """How one step is made. share: how many steps run on this machine at the same time; a step then uses one part of
    the threads, unless their number decides its bytes. gated: a gate that the step misses raises GateRefused.
    """

    share: int = 1
    gated: bool = False


def build_step(planned: Planned, id_: str, settings: Settings, report: Reporter, how: Single = Single()) -> bool:
    """Make one step of a plan, whose inputs are finished. Returns whether it was made now. Raises the ZooError of the
    step, also of one that is not in the plan."""
    if id_ not in planned.status:
        known = instead_of(id_, planned.status)
        raise InputError(f"{planned.plan.name} has no step {id_!r}", remedy=known)
    step = planned.plan.step(id_)
    if id_ in planned.to_run:
        if how.gated:
            _refuse_missed(planned, settings)
        memory = planned.costs.step_memory_bytes.get(id_)
        costs = dataclasses.replace(planned.costs, memory_bytes=memory)
        _refuse_unable(planned, [id_], costs, settings, report)
    if how.share > 1 and "threads" not in step.spec:
        settings = settings.with_threads(max(1, settings.threads // how.share))

    def judge(made: Mapping[str, Artifact]) -> None:
        _judge(planned, made, settings)
        if how.gated:
            _refuse_early(planned, made, settings)

    return engine.run_step(planned.plan, id_, settings, report, judge)


def refuse_unable(planned: Planned, settings: Settings, report: Reporter) -> None:
    """Before expensive work: raises ZooError for whatever would stop a missing step of the plan on this machine."""
    _refuse_unable(planned, planned.to_run, planned.costs, settings, report)


def _refuse_unable(
    planned: Planned, to_run: Collection[str], costs: Costs, settings: Settings, report: Reporter
) -> None:
    """The same for the steps ``to_run``."""
    news.refuse_old_words(planned.recipe, planned.checked.file, settings)
    if to_run:
        corpuslimits.refuse(planned.checked, settings.root)
        tunecorpus.refuse(planned.checked, settings.root)
    wanted = preflight.Build(planned.recipe, planned.plan, to_run, planned.world.tools)
    preflight.check(wanted, costs, settings, report)
    steps = [planned.plan.step(id_) for id_ in to_run]
    foresight.refuse_before(planned.checked, steps, settings.work, settings.root, report)


def _refuse_missed(planned: Planned, settings: Settings) -> None:
    """Raises GateRefused if a step that is finished misses a gate."""
    workspace, made = Workspace(settings.work), dict[str, Artifact]()
    for step in planned.plan.steps:
        there = workspace.finished(step.key)
        if there and made.keys() >= {*step.inputs.values()}:
            made[step.id] = there
            _refuse_early(planned, made, settings)


def _refuse_early(planned: Planned, made: Mapping[str, Artifact], settings: Settings) -> None:
    command = functools.partial(commandline.line, settings)
    early.refuse(planned.recipe, planned.plan, made, planned.to_run, command)


def _judge(planned: Planned, made: Mapping[str, Artifact], settings: Settings) -> None:
    """Check both sources once they are imported, before any other step uses them. Raises InputError or GateRefused."""
    label = planned.recipe.label
    if list(made)[-1:] == ["redact"] and label and label.redact == "reviewed":
        # Before the training, not after it.
        reviewed.refuse_unsigned(planned.recipe.name, made["redact"], settings)
    if list(made)[-1:] == ["import/student"]:
        stages = {planned.plan.step(id_).stage for id_ in planned.to_run}
        foresight.refuse_other_tokens(planned.recipe, stages, made["import/student"])
    wanted = [step.id for step in planned.plan.steps if step.id in foresight.IMPORTS]
    if made and list(made)[-1] in wanted:
        foresight.refuse_imported(planned.checked, made, settings.root, settings.work)


def refuse_failed_gates(release: ReleaseFolder) -> None:
    """Raises GateRefused with every gate that failed, and by how much."""
    broken = [early.failure(one, _smoke_faults(one, release)) for one in release.verdicts if not one.kept]
    if broken:
        raise GateRefused(
            "\n".join(
                [
                    f"{release.model.name} {release.release.version} did not pass its gates",
                    *(f"  {line}" for line in broken),
                ]
            ),
            safe="Nothing was published. The build is kept.",
            remedy=f"Look at {release.folder}/model/evidence, then change the recipe",
        )


def _smoke_faults(verdict: Verdict, release: ReleaseFolder) -> str:
    return release.smoke_faults(verdict.file) if verdict.metric == "smoke_passed" and verdict.file else ""


def targets(
    planned: Planned, release: ReleaseFolder, settings: Settings, asked: Asked = USUAL
) -> tuple[hub.Hub, list[Target]]:
    """The hub, and what publishing would change there. Raises what publishing would refuse before it sends anything."""
    publication, _ = _publication(planned, release, settings, asked)
    return publication.hub, publishing.prepare(publication)


def _publication(
    planned: Planned, release: ReleaseFolder, settings: Settings, asked: Asked
) -> tuple[publishing.Publication, places.Decision]:
    """What is published where, decided by the catalog alone. Raises ZooError before the hub is asked for anything."""
    record.refuse_unwritable(settings)
    record.refuse_blocked_evidence(release, settings)
    there = hub_of_settings(settings)
    expected = Repository(f"{settings.namespace}/{planned.recipe.publish.model}", "0" * 40, "v0")
    wanted = planned.recipe.publish.access
    record.refuse_invalid(release, Location(there.name, expected, None, access.recorded(wanted)), settings)
    names = (planned.recipe.publish.model, planned.recipe.publish.dataset if release.has_dataset else None)
    model = catalogfile.read_model(settings, release.model.name)
    known = model.release(release.release.version) if model else None
    if not known and placeholders.is_summary(release.model.summary):
        foresight.refuse_placeholders(planned.checked, safe="Nothing was published. The build is kept.")
    dataset = f"{settings.namespace}/{names[1]}" if names[1] else None
    publish_there = commandline.of(settings, "publish", release.model.name, *asked.kept)
    build_there = commandline.of(settings, "build", release.model.name)
    place = places.Place(
        there.name, expected.name, dataset, publish_there, build_there, here([], there).has,
        elsewhere(known, there, settings), functools.partial(is_alias, hub=there, settings=settings),
        Folders(settings).is_unknown, of_hub(there, settings),
    )  # fmt: skip
    manifest = next((file.sha256 for file in release.model_files if file.path == MANIFEST), None)
    if asked.stage and known:
        raise VersionTaken(
            f"{release.model.name} {known.version} is published, so there is nothing to stage",
            safe="Nothing was changed.",
            remedy="Raise the version in the recipe",
        )
    decided = places.decide(release.model.name, release.release, manifest, known, place, asked.way)
    owner = line.owner_of(release.model.name, model, there.name)
    found = publishing.Publication(
        release, names, settings, there, owner, decided.recorded, decided.way,
        restore.cards_of(release.model.name, model, settings), wanted,
        access.of_repository(model, decided.recorded.hub if decided.recorded else there.name, expected.name), asked,
        _claim(release, model, there, settings, asked),
    )  # fmt: skip
    return found, decided


def _claim(
    release: ReleaseFolder, model: Model | None, there: hub.Hub, settings: Settings, asked: Asked
) -> Claim:
    """What makes a release on the hub this zoo's, next to ``release`` itself."""
    replacing = dataclasses.replace(asked, delete_others=True)
    command = commandline.line(settings, "publish", release.model.name, *replacing.kept, *replacing.ways)
    files = (*release.model_files, *release.dataset_files)
    manifests = [file.sha256 for file in files if file.path == MANIFEST]
    return Claim(
        release.model.name, release.release.version, model, there, settings, command, asked.delete_others, manifests,
        is_recorded_too=asked.way is Way.MOVE,
    )  # fmt: skip


def _recorded(planned: Planned, settings: Settings) -> Release | None:
    """The published version of a recipe, as the catalog has it."""
    model = catalogfile.read_model(settings, planned.plan.name)
    return model.release(planned.plan.version) if model else None


def refuse_other_owner(planned: Planned, settings: Settings, report: Reporter) -> None:
    """Check before expensive work: raises OtherModel if a repository of the recipe holds another model's release,
    OtherRepository if it is another zoo's.

    A hub that cannot be reached now may be reached when the release is published, which checks again. So it is not
    waited for.
    """
    there, claim = hub_of_settings(settings, quick=True), _claim_before(planned, settings)
    owner = line.owner_of(claim.name, claim.model, there.name)
    publish = planned.recipe.publish
    try:
        for kind, repository in (("model", publish.model), ("dataset", publish.dataset)):
            if repository:
                repo = there.repo(kind, settings.namespace, repository)
                head = repo.refs().branches.get(hub.BRANCH)
                line.refuse_other_model(f"{kind} repository {repository}", repo, head, owner)
        claim.refuse_any((publish.model, publish.dataset))
    except (RemoteError, OSError) as error:
        why = error.what if isinstance(error, RemoteError) else error
        report.warn(f"whose repository it is will be checked when the release is published: {why}")


def _claim_before(planned: Planned, settings: Settings) -> Claim:
    """The claim of a version that may not be built yet."""
    name, there = planned.plan.name, hub_of_settings(settings, quick=True)
    publish = commandline.line(settings, "publish", name, "--delete-others")
    recipe_sha256 = hashlib.sha256(planned.checked.text).hexdigest()
    model = catalogfile.read_model(settings, name)
    replace = f"{commandline.line(settings, 'build', name)} && {publish}"
    return Claim(name, planned.plan.version, model, there, settings, replace, recipe_sha256=recipe_sha256)


def publish(
    planned: Planned,
    release: ReleaseFolder,
    settings: Settings,
    report: Reporter,
    asked: Asked = USUAL,
) -> Published:
    """Publish and record."""
    refuse_failed_gates(release)
    warn_unsigned(release, settings, report)
    publication, decided = _publication(planned, release, settings, asked)
    if decided.recorded and restore.is_lost(decided.recorded, publication.hub):
        if publication.claim:
            publication.claim.refuse_any(publication.names)
        restore.aloud(restore.Order(release.model.name, publication.hub), settings, report)
        publication, decided = _publication(planned, release, settings, asked)

    model = catalogfile.read_model(settings, release.model.name)
    known = model.release(release.release.version) if model else None

    def note(location: Location) -> None:
        if decided.recorded and restore.is_lost(decided.recorded, publication.hub):
            report.say(f"{release.model.name} {release.release.version} has new commits, which the catalog records now")
        if decided.way is not Way.MOVE:
            name = decided.recorded.hub if decided.recorded else recorded_name(model, location.hub)
            location = dataclasses.replace(location, hub=name)
        elif known and location.hub == FOLDER:
            for left in filter(None, map(elsewhere(known, publication.hub, settings), known.mirrors or ())):
                report.warn(f"the mirror in {left} is no longer recorded: the catalog records one folder of a version")
        record.record(release, location, settings, decided.way)
        restore.keep_card(release.model.name, release.release.version, location, publication.hub, settings, report)
        staging.forget(release.model.name, release.release.version, settings)
        collection.keep(settings, publication.hub, report)
        if known and decided.way is Way.MOVE:
            collection.leave(known.location, publication.hub, settings, report)

    if asked.promote:
        staging.refuse_unstaged(publishing.prepare(publication), publication.command)
    if asked.stage:
        return publishing.apply(publication, report, record=lambda place: staging.record(release, place, settings))
    done = publishing.apply(publication, report, record=note)
    if asked.delete_others:
        delete_others(release.model.name, settings, report)
    return done


def delete_others(name: str, settings: Settings, report: Reporter) -> None:
    """Delete files that no release put on the main branches of a published model. Raises ZooError."""
    there = hub_of_settings(settings)
    for what in _foreign(name, there, settings):
        report.say(what)


def _foreign(name: str, there: hub.Hub, settings: Settings) -> list[str]:
    again = commandline.line(settings, "publish", name, "--repair")
    return foreign.delete(as_here(restore.model_of(name, settings), there, settings), there, again)


def unstage(planned: Planned, settings: Settings) -> list[str]:
    """Remove the staged release of a recipe's version. Returns the repositories that had one. Raises ZooError."""
    publish, version = planned.recipe.publish, planned.plan.version
    there = hub_of_settings(settings)
    _claim_before(planned, settings).refuse_any((publish.model, publish.dataset))
    gone = staging.remove(there, settings.namespace, (publish.model, publish.dataset), version)
    staging.forget(planned.plan.name, version, settings)
    return gone


def repaired(name: str, settings: Settings, report: Reporter, asked: Asked = USUAL) -> Repaired:
    """Repair every version of a model at the hub of the settings. Raises Damaged if something is left.

    With a move, versions whose commits the hub lost are published there again, with new ones.
    """
    settings = at_home(name, "", settings, report)
    there = hub_of_settings(settings)
    found = restore.restore(restore.Order(name, there, asked.way is Way.MOVE), settings, report)
    for what in found.moved:
        mirror = commandline.line(settings, "publish", name, "--mirror")
        report.warn(f"{what}. It was left as it is. To record that version there as a mirror: {mirror}")
    if asked.delete_others and not found.outdated:
        found.restored += _foreign(name, there, settings)
    for what in repairs.first_few(found.unknown, "tag"):
        report.warn(f"{what}. It was left as it is: zoo watch says what can be done")
    command = functools.partial(commandline.line, settings)
    collection.keep(settings, there, report)
    found.advice = [commandline.named(one, name, command) for one in found.advice]
    repairs.refuse_left(name, found, command("publish", name, "--repair", "--move"))
    return found


class NotBuilt(ZooError):
    """There is no release folder of exactly this plan."""


def existing_release(
    planned: Planned, settings: Settings, asked: Asked = USUAL, command: Command | None = None
) -> ReleaseFolder:
    """The release folder of exactly this plan. Raises NotBuilt if it is not built, VersionTaken if it is published from
    another recipe.

    A mirror has exactly the files of the recorded place, whose cards name that place's namespace. command: gives the
    one that the user ran with other options; that of publishing, if it is None.
    """
    namespace, way = settings.namespace, asked.way
    model = catalogfile.read_model(settings, planned.plan.name)
    known = model.release(planned.plan.version) if model else None
    if way is Way.MIRROR and known:
        namespace = known.location.model.name.partition("/")[0]
    named_there = settings.with_namespace(namespace)
    # What goes to a second place is what was published, even if the recipe or the program changed since.
    there = taken.copy_of(known, planned.plan.name, named_there) if known and way is not Way.PLACE else None
    found = there or find(planned.plan, named_there) or taken.published(planned, named_there)
    recipe_sha256 = hashlib.sha256(planned.checked.text).hexdigest()
    if found is None and asked.as_built:
        found = as_built(planned.plan.name, planned.plan.version, recipe_sha256, named_there)
    if found is None and way is Way.PLACE:
        taken.refuse(planned, settings)
    if found is None:
        other = otherbuild.look(planned.plan, recipe_sha256, planned.world.tools, named_there)
        again = command or commandline.of(settings, "publish", planned.plan.name, *asked.kept, *asked.ways)
        raise _not_built(planned.plan, other, named_there, again)
    return found


def _not_built(plan: Plan, other: otherbuild.OtherBuild | None, settings: Settings, command: Command) -> NotBuilt:
    """What there is instead, why it is not this build, and what can be done."""
    build, title = commandline.line(settings, "build", plan.name), f"{plan.name} {plan.version} is not built"
    if other is None:
        return NotBuilt(title, remedy=f"Build it with: {build}")
    remedy = f"Build it with: {build}"
    if other.is_as_built:
        remedy = f"To take that build as it is: {command('--as-built')}. To build it again: {build}"
    what = f"{title} as it would be here and now. {settings.shown(other.folder)} has another build: {other.why}"
    return NotBuilt(what, safe="Nothing was changed.", remedy=remedy)
