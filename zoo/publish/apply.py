"""Carry a publication out: upload, commit, verify, tag last, record. Run again after a kill; nothing happens twice."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog import shell
from catalog.access import recorded
from catalog.release import Location, Repository
from catalog.words import counted, data_size
from zoo import commandline
from zoo.errors import AGAIN, DamagedRelease, ZooError, remedy_for
from zoo.files.digests import digest
from zoo.files.filelist import MANIFEST
from zoo.files.locks import locked
from zoo.hub import Hub, NotOffered
from zoo.hub.otherrepo import OtherRepository
from zoo.progress import Reporter
from zoo.publish import closing, staging, steps
from zoo.publish.asked import USUAL, Asked
from zoo.publish.claims import Claim
from zoo.publish.hashes import Hashes
from zoo.publish.journal import Journal
from zoo.publish.line import NOBODY, OtherModel, Owner
from zoo.publish.others import AS_RELEASED, Cards
from zoo.publish.places import Way
from zoo.publish.plan import Known, RepoPlan, VersionTaken, plan_repo, refuse_unsafe
from zoo.publish.steps import Target, Work
from zoo.publish.verify import verify
from zoo.release import ReleaseFolder, news
from zoo.release.provenance import SIGNATURE
from zoo.settings import Settings

__all__ = ["Publication", "Published", "Target", "VersionTaken", "apply", "prepare", "tag_of"]

Names = tuple[str, str | None]
"""The model repository, and the dataset repository if the recipe has one."""


@dataclass
class _Phase:
    """How far a publication got. safe: what is reliable now, for an error that ends it early."""

    safe: str


@dataclass(frozen=True)
class Published:
    """Where the release is now. ``already`` is True if nothing had to be done."""

    location: Location
    already: bool


@dataclass(frozen=True)
class Publication:
    """A release that goes to repositories of a hub.

    owner: the model that the repositories must belong to. recorded: where the catalog says that this release is on this
    hub; None for a new place. way: with a move, other commits than the recorded ones may replace them in the catalog.
    asked: the options of the user. claim: which releases there are this zoo's. cards: which cards are. access: who may
    read the repositories, see ``catalog.access``; None leaves them as they are. known_access: what the catalog says of
    it.
    """

    release: ReleaseFolder
    names: Names
    settings: Settings
    hub: Hub
    owner: Owner = NOBODY
    recorded: Location | None = None
    way: Way = Way.PLACE
    cards: Cards = AS_RELEASED
    access: str | None = None
    known_access: str | None = None
    asked: Asked = USUAL
    claim: Claim | None = None

    def command(self, *words: str) -> str:
        """The command that publishes this release with other options about where and how, or repairs its model."""
        kept = () if {"--repair", "--unstage"}.intersection(words) else self.asked.kept
        return commandline.line(self.settings, "publish", self.release.model.name, *kept, *words)


    def named(self, error: ZooError) -> str:
        """The remedy of an error, with the name and the options that its room does not know."""
        settings, name = self.settings, self.release.model.name
        if isinstance(error, DamagedRelease):
            folder = shell.argument(settings.shown(self.release.folder))
            return f"Make it again with: rm -r {folder} && {commandline.line(settings, 'build', name)}"
        return commandline.named(error.remedy, name, functools.partial(commandline.line, settings))


def prepare(publication: Publication, journal: Journal | None = None) -> list[Target]:
    """The plan of every repository. Nothing is sent.

    Raises VersionTaken if the version is published with different content, or if the hub no longer has what the catalog
    records; InputError for a repository of another model; OtherRepository for one of another zoo.
    """
    release, settings = publication.release, publication.settings
    hashes = Hashes(_beside(release, "hashes.json"))
    targets = []
    for kind, name, files in _wanted(publication):
        refuse_unsafe(release.release.version, files)
        repo = publication.hub.repo(kind, settings.namespace, name)
        repo.recognise(steps.git_digests(hashes, release.folder / kind, files))
        keep = journal.kept(kind) if journal else ()
        asked = publication.asked
        known = Known(publication.owner, keep, asked.delete_others, publication.cards, asked.stage, publication.claim)
        plan = plan_repo(kind, name, repo, tag_of(release), files, known)
        targets.append(Target(kind, name, release.folder / kind, repo, plan))
    hashes.save()
    # When every repository is known to be this zoo's: nothing else matters for another one.
    return [_as_publishable(publication, target) for target in targets]


def _as_publishable(publication: Publication, target: Target) -> Target:
    """The target with the commit that the catalog records, if only its tag is missing. Raises VersionTaken, InputError
    as ``prepare``."""
    recorded = _recorded(publication, target.kind)
    if recorded and publication.way is not Way.MOVE:
        target = steps.as_recorded(target, recorded, publication.hub.name, publication.command)
    _refuse_other_content(target.plan, publication.release)
    staging.refuse_other_bytes(target, publication.asked.stage, publication.command)
    return target


def apply(
    publication: Publication,
    report: Reporter,
    *,
    record: Callable[[Location], object] = lambda _: None,
) -> Published:
    """Publish. Both repositories are committed and verified before either gets its tag; ``record`` comes last.

    record: writes the release into the catalog.
    """
    release, settings, hub, asked = publication.release, publication.settings, publication.hub, publication.asked
    phase = _Phase("Nothing was changed.")
    with _told_how_to_go_on(publication, phase), _alone(release, report):
        # The commit of a staging must not be taken for that of the release.
        name = "staging.jsonl" if asked.stage else "journal.jsonl"
        journal = Journal(_beside(release, name), _identity(publication))
        targets = prepare(publication, journal)
        already = all(target.plan.is_published for target in targets)
        hashes = Hashes(_beside(release, "hashes.json"))
        said = news.message(release.model.name, release.release)
        work = Work(tag_of(release), said, hub.name, hashes, journal, report)
        if publication.access:
            if asked.stage and not asked.readable:
                closing.refuse_open_staging(work, targets, publication.access, publication.command)
            for target in targets:
                closing.close(work, target, publication.access)
        # Not before the hub agreed: until then nothing is published.
        _announce(targets, hub, report)
        commits = _out(work, targets, asked.verify, phase)
        if publication.access and not asked.stage:
            for target in targets:
                closing.open_up(work, target, publication.access)
        places = {
            t.kind: Repository(
                f"{settings.namespace}/{t.name}", commits[t.kind], _label(t, work.tag), _digest(t, MANIFEST),
                _digest(t, SIGNATURE),
            )
            for t in targets
        }
        access = recorded(publication.access) if publication.access else publication.known_access
        location = Location(hub.name, places["model"], places.get("dataset"), access)
        phase.safe = f"The release is out: tag {work.tag} is set and verified. Only its catalog entry is missing."
        if asked.stage:
            phase.safe = "The release is staged and verified. Only the note of it on this machine is missing."
        record(location)
        if not asked.stage:
            staging.end(work, targets)
        # If everything is already there, for example from another machine, there is nothing to record.
        if journal.entries or not already:
            journal.note("recorded")
            journal.note("done")
    return Published(location, already)


def _out(work: Work, targets: list[Target], how: str, phase: _Phase) -> dict[str, str]:
    """The verified and tagged commit of every kind."""
    commits = {t.kind: t.plan.tagged or t.commit or steps.earlier_commit(work, t) for t in targets}
    waiting = [target for target in targets if commits[target.kind] is None]
    phase.safe = _before(targets, commits)
    steps.check_files(work, waiting)
    for target in waiting:
        steps.upload(work, target)
    if waiting and not any(target.plan.is_published for target in targets):
        phase.safe = "No tag was set, so no version shows an incomplete release. Finished steps are kept."
    done = [
        dataclasses.replace(t, commit=commits[t.kind]) if commits[t.kind] else steps.commit(work, t)
        for t in targets
    ]
    for target, planned in zip(done, targets, strict=True):
        # Nothing was sent for a commit that the catalog records, so what the hub lost of it is sent now.
        if target.plan.is_published or planned.commit:
            steps.send_lost(work, target)
        verify(work, target, how)
    if any(target.plan.is_staging for target in done):
        return {target.kind: str(target.commit) for target in done}
    # Every later tag is looked at before the first one is set: a tag stays for ever.
    done = [done[0], *(t if t.plan.is_published else steps.free(work, t) for t in done[1:])]
    # Before the first one: a hub may set a tag and then fail to answer.
    phase.safe = "Everything is committed and verified. Tags that were set are correct and stay."
    tagged = [steps.tag(work, target) for target in done]
    for target in tagged:
        steps.raise_main(work, target)
    return {target.kind: str(target.commit) for target in tagged}


def _label(target: Target, tag: str) -> str:
    """The name of a commit: its tag, or the branch of its staging."""
    return target.plan.line.branch if target.plan.is_staging else tag


def _digest(target: Target, path: str) -> str | None:
    """The digest of the list of all files, or of its signature, which were verified with them."""
    return next((file.sha256 for file in target.plan.files if file.path == path), None)


def _before(targets: list[Target], commits: dict[str, str | None]) -> str:
    """What is safe before this run has sent anything."""
    if any(target.plan.is_published for target in targets):
        return "Tags that are set stay as they are. Finished steps are kept."
    if any(commits.values()):
        return "No tag was set, so no version shows an incomplete release. Finished steps are kept."
    return "Nothing of this release is visible: there is no commit and no tag. Uploaded contents are kept."


def tag_of(release: ReleaseFolder) -> str:
    """The tag of a version."""
    return f"v{release.release.version}"


def _title(release: ReleaseFolder) -> str:
    return f"{release.model.name} {release.release.version}"


def _wanted(publication: Publication) -> list[tuple[str, str, steps.Files]]:
    release, (model_name, dataset_name) = publication.release, publication.names
    wanted = [("model", model_name, release.model_files)]
    if release.has_dataset and dataset_name:
        # The data first: a model card that names a dataset must never have a dead link.
        wanted.insert(0, ("dataset", dataset_name, release.dataset_files))
    return wanted


def _recorded(publication: Publication, kind: str) -> Repository | None:
    place = publication.recorded
    return None if place is None else place.model if kind == "model" else place.dataset


def _identity(publication: Publication) -> str:
    settings = publication.settings
    files = [[kind, name, [vars(f) for f in files]] for kind, name, files in _wanted(publication)]
    # Two folder hubs have the same name but not the same setting.
    return digest([tag_of(publication.release), settings.namespace, publication.hub.name, settings.hub, files])


def _beside(release: ReleaseFolder, suffix: str) -> Path:
    return release.folder.with_name(f"{release.folder.name}.{suffix}")


@contextlib.contextmanager
def _alone(release: ReleaseFolder, report: Reporter) -> Iterator[None]:
    with locked(
        _beside(release, "journal.lock"), lambda: report.say("another zoo publishes this release; waiting")
    ):
        yield


@contextlib.contextmanager
def _told_how_to_go_on(publication: Publication, phase: _Phase) -> Iterator[None]:
    """An error that ends this early says what is safe and the command to continue."""
    # What was asked may have become a mirror: one that the catalog records already.
    command = publication.command(*dataclasses.replace(publication.asked, way=publication.way).ways)
    try:
        yield
    except (VersionTaken, OtherModel, OtherRepository, NotOffered, closing.OpenStaging):
        raise
    except ZooError as error:
        error.safe, error.command = phase.safe, command
        error.remedy = publication.named(error)
        if "zoo " not in error.remedy:
            error.again = error.again or AGAIN
        raise
    except OSError as error:
        raise ZooError(
            str(error.strerror or error),
            where=str(error.filename or ""),
            safe=phase.safe,
            remedy=f"{remedy_for(error)}, then continue with: {command}",
        ) from error


def _refuse_other_content(plan: RepoPlan, release: ReleaseFolder) -> None:
    if not plan.is_published or not plan.changed:
        return
    lines = [f"  {change.action} {change.path}: {change.reason}" for change in plan.changed[:12]]
    more = [f"  and {len(plan.changed) - 12} more"] if len(plan.changed) > 12 else []
    raise VersionTaken(
        "\n".join([f"{_title(release)} is already published with different content", *lines, *more]),
        safe="Nothing was changed; published versions never change.",
        remedy="Raise the version in the recipe, then release again",
    )


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:10]) + (f" and {len(paths) - 10} more" if len(paths) > 10 else "")


def _announce(targets: list[Target], hub: Hub, report: Reporter) -> None:
    """Report what will be sent before sending it, and where if that is not the main branch."""
    for target in (one for one in targets if one.commit):
        report.say(f"{target.label} has the recorded commit but lost its tag, which is set again")
    targets = [target for target in targets if not target.commit]
    for target in targets:
        if target.plan.is_staging:
            report.say(f"{target.label}: staged on branch {target.plan.line.branch}; the main branch and the tags stay")
        elif target.plan.line.above and not target.plan.is_published:
            report.say(f"{target.label}: the main branch stays at {target.plan.line.above}")
        if target.plan.kept and not target.plan.is_published:
            report.say(f"{target.label} keeps what no release put there: {_some(target.plan.kept)}")
        if target.plan.replaced:
            report.warn(f"{target.label}: replacing what someone else changed: {_some(target.plan.replaced)}")
        if gone := [change.path for change in target.plan.changes if change.action == "delete"]:
            report.say(f"{target.label} loses what is not in this release: {_some(gone)}")
    sending = [change for target in targets for change in target.plan.changed if change.action != "delete"]
    if sending:
        total, files = sum(change.size_bytes for change in sending), sum(len(target.plan.files) for target in targets)
        many = counted(files, "file") if len(sending) == files else f"{len(sending)} of {counted(files, 'file')}"
        report.say(f"publishing to {hub.name}: {many}, {data_size(total)}")
