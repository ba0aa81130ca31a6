"""Whether the hub still serves what the catalog records. Asks, compares and reports; changes no record.

For every file of the model and the dataset repository that has a recorded digest: what is served at the recorded commit
and, where the branch has moved on, at its head. A head may hold another release, or the banner of a withdrawn one; it
drifts if it has no recorded release completely. Then the tags, and the licence and the gating of upstream models.
"""

from __future__ import annotations

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from catalog.index import Catalog
from catalog.release import Location, Model, Release
from catalog.watch import Report, Unchecked, Watched
from catalog.words import counted
from zoo import commandline
from zoo.errors import ZooError
from zoo.hub import BRANCH
from zoo.hub.located import Here, here, hub_of, hubs_of, note_named
from zoo.hub.spoken import refuse_gone, spoken, to_name
from zoo.progress import Reporter
from zoo.pull.arriving import some
from zoo.settings import Settings
from zoo.upkeep import cardnow
from zoo.upkeep.notes import Notes, Part, account_of, evidence_of
from zoo.upkeep.recorded import of_model
from zoo.upkeep.upstream import Ask, Looked, look_at_sources
from zoo.upkeep.watched import look_at, reason, refs_of, repo_of

WORKERS = 8
"""Requests at the same time."""

_MIRROR = "(mirror on"
"""What begins the note of what was found at a mirror."""

@dataclass(frozen=True)
class How:
    """ask: describes upstream models; None skips them. full: every byte of every release is read back."""

    ask: Ask | None = None
    full: bool = False


def look(
    catalog: Catalog, settings: Settings, date: str, before: Report | None, report: Reporter, how: How
) -> Report:
    """Watch every release. The report also lists what could not be checked.

    before: the last report, to detect changes of gating.
    """
    notes, watched, left_out = Notes(hubs_of(settings, quick=True), report, how.full, settings), [], list[str]()
    named = _named(catalog, settings, notes)
    notes.versions = {m.name: [one.version for one in m.releases] for m in catalog.models}
    total = sum(len(of_model(r, evidence_of(settings, m, r))) for m in catalog.models for r in m.releases)
    with report.task("asking the hub", total, "files") as advance, ThreadPoolExecutor(WORKERS) as pool:
        for model in catalog.models:
            for release in model.releases:
                place = named.place(release) if named else release.location
                if place is None:
                    left_out.append(f"{model.name} {release.version}")
                    continue
                there = dataclasses.replace(release, location=place)
                done = _release(model, there, settings, notes, pool)
                watched += [done] if done else []
                for mirror in release.mirrors or ():
                    _mirror(model, dataclasses.replace(release, location=mirror), settings, notes, pool)
                advance(len(of_model(release, evidence_of(settings, model, release))))
    if left_out:
        report.say(f"{counted(len(left_out), 'version')} never published at {settings.hub} left out: {some(left_out)}")
    command = functools.partial(commandline.line, settings)
    sources = look_at_sources(catalog, before, how.ask, command) if how.ask else Looked()
    return Report(
        date,
        notes.requests + sources.requests,
        tuple(watched),
        tuple(sources.seen),
        (*notes.findings, *sources.findings),
        (*notes.unchecked, *sources.unchecked),
    )


def _named(catalog: Catalog, settings: Settings, notes: Notes) -> Here | None:
    """The hub that --hub names, as the catalog records it; None without that flag."""
    given = settings.values["hub"]
    if not given.origin.startswith("flag"):
        return None
    releases = [one for model in catalog.models for one in model.releases]
    return here(releases, notes.hubs.open(given.text), settings=settings)


def _release(
    model: Model, release: Release, settings: Settings, notes: Notes, pool: ThreadPoolExecutor
) -> Watched | None:
    place, who = release.location, f"{model.name} {release.version}"
    known = model.release(release.version)
    is_mirror = known is None or place != known.location
    # A command without --hub goes to the hub of the newest version.
    apart = is_mirror or model.preferred()[0].location.hub != place.hub
    notes.hub = to_name(place, settings, mirror=apart)
    try:
        hub = hub_of(place, settings, notes.hubs, known)
        notes.hub = to_name(place, settings, hub, mirror=apart)
        if known and settings.values["hub"].origin.startswith("flag"):
            note_named(place, hub, known, settings)
        refuse_gone(hub, notes.command("publish", model.name, "--repair"))
        # Other versions may be in a repository of the same name on another hub.
        model = cardnow.at_place(model, place, hub, settings)
        repo = repo_of(hub, "model", place.model)
        account = functools.partial(account_of, model, settings, (repo, None), notes)
        parts = [Part("model", repo, place.model, lambda one: one.location.model, account)]
        if place.dataset:
            data = repo_of(hub, "dataset", place.dataset)
            account = functools.partial(account_of, model, settings, (repo, data), notes)
            parts.append(Part("dataset", data, place.dataset, lambda one: one.location.dataset, account))
        found = [refs_of(model, release, part, notes) for part in parts]
    except (ZooError, OSError) as error:
        notes.unchecked.append(Unchecked(who, reason(error, model.name, place, notes)))
        return None
    seen = [
        counts
        for part, refs in zip(parts, found, strict=True)
        if refs is not None and (counts := look_at(model, release, part, refs, notes, pool))
    ]
    if found[0] is None or not seen:
        return None
    files, equal, size_only = (sum(counts) for counts in zip(*seen, strict=True))
    return Watched(
        model.name, release.version, place.model.name, place.model.commit, found[0].branches.get(BRANCH),
        files, equal, size_only,
    )  # fmt: skip


def _mirror(model: Model, there: Release, settings: Settings, notes: Notes, pool: ThreadPoolExecutor) -> None:
    """Watch a mirror of a release, whose ``location`` it is: commits, tags and the branch. A named hub is the only one
    that is asked, so mirrors are left out then."""
    if settings.values["hub"].origin.startswith("flag"):
        return
    own = Notes(notes.hubs, notes.report, notes.full, settings)
    at = _of_mirror(there.location, settings)
    own.versions = notes.versions
    _release(model, there, settings, own, pool)
    notes.requests += own.requests
    notes.findings += [dataclasses.replace(one, what=f"{one.what} {at}") for one in own.findings]
    notes.unchecked += [dataclasses.replace(one, what=f"{one.what} {at}") for one in own.unchecked]


def _of_mirror(place: Location, settings: Settings) -> str:
    return f"{_MIRROR} {spoken(place, settings, mirror=True)})"


def unseen_mirrors(catalog: Catalog, found: Report, settings: Settings) -> int:
    """How many mirrors of releases could not be looked at."""
    missed = {one.what for one in found.unchecked}
    mirrors = [(m, r, place) for m in catalog.models for r in m.releases for place in r.mirrors or ()]
    return sum(f"{m.name} {r.version} {_of_mirror(place, settings)}" in missed for m, r, place in mirrors)
