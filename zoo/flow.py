"""The walk of a release: ``release`` is the list of its steps, each a function of one room. Called by the commands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import access, placeholders, yanks
from catalog.release import Location, Release, Repository
from zoo import catalogfile, hub
from zoo.errors import GateRefused, RemoteError, ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub.located import at_home, hub_of_settings
from zoo.judge.gates import Verdict
from zoo.plan import corpuslimits, engine, foresight, preflight, prepare
from zoo.plan.prepare import Planned
from zoo.progress import Reporter
from zoo.publish import apply as publishing
from zoo.publish import line, places, record, repair, staging
from zoo.publish.apply import Published, Target, VersionTaken
from zoo.publish.places import Way
from zoo.publish.repair import Repaired
from zoo.release import ReleaseFolder, as_built, assemble, early, find, news, reviewed
from zoo.release.sign import sign as sign_release
from zoo.settings import Settings
from zoo.stages.artifact import Artifact
from zoo.upkeep import collection, restore, taken, yank


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


def release(recipes: Iterable[str], settings: Settings, report: Reporter, seal: Seal = Seal()) -> list[Released]:
    """Release recipes, named or by file. After an interruption the same call resumes; nothing is done twice.

    Raises the ZooError of the step that failed; steps finished before it are kept.
    """
    # Check and plan: every problem of every recipe, with its line, before anything is made.
    made = [prepare.make_plan(recipe, settings) for recipe in recipes]
    # Where: a model that moved to another hub stays there.
    plans = [(one, at_home(one.plan.name, one.plan.version, settings, report)) for one in made]
    # Refuse early: a catalog that cannot be written, a version that is already published, another model's repository.
    record.refuse_unwritable(settings)
    for planned, there in plans:
        news.refuse_old_words(planned.recipe, planned.checked.file, there)
        if not _recorded(planned, there):
            foresight.refuse_placeholders(planned.checked, safe="Nothing was made.")
        taken.refuse(planned, there)
        if not find(planned.plan, there):
            refuse_other_owner(planned, there, report)
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
    news.refuse_old_words(planned.recipe, planned.checked.file, settings)
    if planned.to_run:
        corpuslimits.refuse(planned.checked, settings.root)
    wanted = preflight.Build(planned.recipe, planned.plan, planned.to_run, planned.world.tools)
    preflight.check(wanted, planned.costs, settings, report)
    steps = [planned.plan.step(id_) for id_ in planned.to_run]
    foresight.refuse_before(planned.checked, steps, settings.work, settings.root, report)
    prepare.announce(planned, report)

    def use(built: engine.Built) -> ReleaseFolder:
        return assemble(
            planned.checked, planned.plan, built.artifacts, planned.world, settings, report
        )

    def judge(made: Mapping[str, Artifact]) -> None:
        _judge(planned, made, settings)
        if gated:
            early.refuse(planned.recipe, planned.plan, made, planned.to_run)

    return engine.run_and(planned.plan, settings, report, use, judge)


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


@dataclass(frozen=True)
class Asked:
    """How to publish. verify: ``tree`` or ``full``, which reads every file back. way: what another place means.

    delete_others: files in the repositories that no release put there do not stay. stage: only on a branch of its own.
    promote: only what is staged. readable: stage also what is less open than the repository.
    """

    verify: str = "tree"
    way: Way = Way.PLACE
    delete_others: bool = False
    stage: bool = False
    promote: bool = False
    readable: bool = False


def targets(
    planned: Planned, release: ReleaseFolder, settings: Settings, asked: Asked = Asked()
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
    command = f"zoo publish {release.model.name}{settings.flags}"
    place = places.Place(there.name, expected.name, dataset, command)
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
        release, names, settings, there, owner, decided.recorded, decided.way, asked.delete_others,
        restore.cards_of(release.model.name, model, settings), wanted, asked.stage,
        access.of_repository(model, there.name, expected.name), asked.readable,
    )  # fmt: skip
    return found, decided


def _recorded(planned: Planned, settings: Settings) -> Release | None:
    """The published version of a recipe, as the catalog has it."""
    model = catalogfile.read_model(settings, planned.plan.name)
    return model.release(planned.plan.version) if model else None


def refuse_other_owner(planned: Planned, settings: Settings, report: Reporter) -> None:
    """Check before expensive work: raises OtherModel if a repository of the recipe holds another model's release.

    A hub that cannot be reached now may be reached when the release is published, which checks again. So it is not
    waited for.
    """
    there, name = hub_of_settings(settings, quick=True), planned.plan.name
    owner = line.owner_of(name, catalogfile.read_model(settings, name), there.name)
    publish = planned.recipe.publish
    try:
        for kind, repository in (("model", publish.model), ("dataset", publish.dataset)):
            if repository:
                repo = there.repo(kind, settings.namespace, repository)
                head = repo.refs().branches.get(hub.BRANCH)
                line.refuse_other_model(f"{kind} repository {repository}", repo, head, owner)
    except (RemoteError, OSError) as error:
        why = error.what if isinstance(error, RemoteError) else error
        report.warn(f"whose repository it is will be checked when the release is published: {why}")


def publish(
    planned: Planned,
    release: ReleaseFolder,
    settings: Settings,
    report: Reporter,
    asked: Asked = Asked(),
) -> Published:
    """Publish and record."""
    refuse_failed_gates(release)
    publication, decided = _publication(planned, release, settings, asked)
    if decided.recorded and restore.is_lost(decided.recorded, publication.hub):
        restore.aloud(restore.Order(release.model.name, publication.hub), settings, report)
        publication, decided = _publication(planned, release, settings, asked)

    def committing(target: Target) -> None:
        if target.kind == "model" and target.plan.line.branch == hub.BRANCH:
            # The new card has no banner. A kill from here on must not make anybody forget that.
            _await_banner(release, publication, settings)

    model = catalogfile.read_model(settings, release.model.name)
    known = model.release(release.release.version) if model else None

    def note(location: Location) -> None:
        if decided.recorded and restore.is_lost(decided.recorded, publication.hub):
            report.say(f"{release.model.name} {release.release.version} has new commits, which the catalog records now")
        record.record(release, location, settings, decided.way)
        restore.keep_card(release.model.name, release.release.version, location, publication.hub, settings, report)
        staging.forget(release.model.name, release.release.version, settings)
        collection.keep(settings, publication.hub, report)
        if known and decided.way is Way.MOVE:
            collection.leave(known.location, publication.hub, settings, report)

    if asked.promote:
        staging.refuse_unstaged(publishing.prepare(publication), publishing.command_of(publication))
    if asked.stage:
        return publishing.apply(
            publication, report, how=asked.verify, record=lambda place: staging.record(release, place, settings)
        )
    return publishing.apply(publication, report, how=asked.verify, record=note, committing=committing)


def unstage(planned: Planned, settings: Settings) -> list[str]:
    """Remove the staged release of a recipe's version. Returns the repositories that had one. Raises ZooError."""
    publish, version = planned.recipe.publish, planned.plan.version
    there = hub_of_settings(settings)
    gone = staging.remove(there, settings.namespace, (publish.model, publish.dataset), version)
    staging.forget(planned.plan.name, version, settings)
    return gone


def _await_banner(release: ReleaseFolder, publication: publishing.Publication, settings: Settings) -> None:
    """Note that the card of the main branch loses the list of withdrawn versions, if there is one."""
    model = catalogfile.read_model(settings, release.model.name)
    if model and yanks.active(model):
        repository = f"{settings.namespace}/{publication.names[0]}"
        yank.expect(settings, model.name, (publication.hub.name, repository), release.release.version)


def repaired(name: str, settings: Settings, report: Reporter, way: Way = Way.PLACE) -> Repaired:
    """Repair every version of a model at the hub of the settings. Raises Damaged if something is left.

    way: with a move, versions whose commits the hub lost are published there again, with new ones.
    """
    settings = at_home(name, "", settings, report)
    there = hub_of_settings(settings)
    found = restore.restore(restore.Order(name, there, way is Way.MOVE), settings, report)
    collection.keep(settings, there, report)
    repair.refuse_left(name, found, f"zoo publish {name} --repair --move{settings.flags}")
    return found


class NotBuilt(ZooError):
    """There is no release folder of exactly this plan."""


def existing_release(
    planned: Planned, settings: Settings, way: Way = Way.PLACE, *, any_machine: bool = False
) -> ReleaseFolder:
    """The release folder of exactly this plan. Raises NotBuilt if it is not built, VersionTaken if it is published from
    another recipe.

    way: a mirror has exactly the files of the recorded place, whose cards name that place's namespace.
    any_machine: also one that another machine built from this very recipe.
    """
    namespace = settings.namespace
    model = catalogfile.read_model(settings, planned.plan.name)
    known = model.release(planned.plan.version) if model else None
    if way is Way.MIRROR and known:
        namespace = known.location.model.name.partition("/")[0]
    named_there = settings.with_namespace(namespace)
    # What goes to a second place is what was published, even if the recipe or the program changed since.
    there = taken.copy_of(known, planned.plan.name, named_there) if known and way is not Way.PLACE else None
    found = there or find(planned.plan, named_there) or taken.published(planned, named_there)
    if found is None and any_machine:
        plan = planned.plan
        found = as_built(plan.name, plan.version, hashlib.sha256(planned.checked.text).hexdigest(), named_there)
    if found is None and way is Way.PLACE:
        taken.refuse(planned, settings)
    if found is None:
        named = "" if settings.values["namespace"].origin != "flag --namespace" else f" --namespace {namespace}"
        raise NotBuilt(
            f"{planned.plan.name} {planned.plan.version} is not built",
            remedy=f"Build it with: zoo build {planned.plan.name}{named}",
        )
    return found
