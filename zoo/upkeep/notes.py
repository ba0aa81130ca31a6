"""What a watch finds, and what it knows of the repositories that it looks at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from catalog.release import Model, Release, Repository
from catalog.watch import Finding, Unchecked
from zoo import commandline
from zoo.errors import ZooError
from zoo.hub import Hubs, Repo
from zoo.hub.folders import FOLDER
from zoo.progress import Reporter
from zoo.publish.repaired import deleting
from zoo.settings import Settings
from zoo.upkeep import cardnow
from zoo.upkeep.recorded import Account, account_of_model, of_dataset
from zoo.upkeep.remedies import LOST, remedy


@dataclass
class Notes:
    """What was found; ``accounts`` has what is known of repositories, by kind, model and version. hubs: those of all
    releases. report: for how, if every byte is read. hub: the one that a command for what is looked at must name; empty
    if it needs no flag for that. versions: all that the catalog has of each model, wherever they are."""

    hubs: Hubs
    report: Reporter
    full: bool
    settings: Settings
    hub: str = ""
    versions: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    requests: int = 0
    accounts: dict[tuple[str, str, str], Account] = field(default_factory=dict)

    def command(self, *words: str) -> str:
        """A command line for the place that is looked at."""
        return commandline.line(self.settings, *words, hub=self.hub)

    def recorded(self, model: Model) -> Callable[[str], str]:
        """The recorded correction that a card of the model is but for its namespaces, or the card itself."""
        return lambda card: cardnow.recorded(card, model, self.settings)


@dataclass(frozen=True)
class Spot:
    """Where a difference is found: a repository of a release, and its kind."""

    notes: Notes
    model: Model
    release: Release
    repository: str
    of: str = "model"

    def note(
        self, kind: str, path: str | None, revision: str | None, expected: str | None, found: str | None, what: str
    ) -> None:
        """Add a finding; revision and the two digests as a report has them. kind: a row of ``remedies``."""
        hub = self.release.location.hub
        if hub == FOLDER:
            kind = kind.removesuffix(LOST)
        spot = (self.model.name, self.release.version, self.repository)
        place = self.release.location.dataset if self.of == "dataset" else self.release.location.model
        tag = revision if kind.startswith("tag") or place is None else place.tag
        delete = deleting(hub, self.notes.hub or self.notes.settings.hub, self.of, self.repository, str(tag))
        values = {"name": self.model.name, "version": self.release.version, "delete": delete}
        repair = remedy(kind, values, self.notes.command)
        kind = "card" if kind in ("correction", "notice", "stale") else kind.partition(" ")[0]
        self.notes.findings.append(Finding(kind, *spot, path, revision, expected, found, what, repair))


@dataclass(frozen=True)
class Part:
    """One of a release's two repositories. of: its place in a release; account: what is known of its files there."""

    kind: str
    repo: Repo
    place: Repository
    of: Callable[[Release], Repository | None]
    account: Callable[[Release], Account]

    def spot(self, notes: Notes, model: Model, release: Release) -> Spot:
        """Where differences of this repository are found."""
        return Spot(notes, model, release, self.place.name, self.kind)


def account_of(
    model: Model, settings: Settings, repos: tuple[Repo, Repo | None], notes: Notes, release: Release
) -> Account:
    """What is known of a release's files in its model repository, or in its dataset's if that is given."""
    repo, data = repos
    key = ("dataset" if data else "model", model.name, release.version)
    if key not in notes.accounts:
        notes.requests += 2  # a tree, and the manifest in it
        evidence = evidence_of(settings, model, release)
        notes.accounts[key] = (
            of_dataset(release, evidence, repo, data) if data else account_of_model(release, evidence, repo)
        )
    return notes.accounts[key]


def accounts_of(model: Model, part: Part) -> dict[str, Account]:
    """What is known of every release of this repository, by version."""
    found = {}
    for one in model.releases:
        there = part.of(one)
        if there and there.name == part.place.name:
            # Another release's record may no longer be available; that was reported with that release.
            with contextlib.suppress(ZooError, OSError):
                found[one.version] = part.account(one)
    return found


def evidence_of(settings: Settings, model: Model, release: Release) -> Path:
    """Where the zoo keeps its copies of a release's evidence."""
    return settings.evidence / model.name / release.version
