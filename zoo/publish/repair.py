"""Lost and damaged contents of published versions, found by reading every byte and sent again. No version changes.

What a hub lists for the recorded commit is compared with what it serves. Contents come from this machine, each compared
with its digest before it is sent. A folder hub also gets lost commits, branches and tags again.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from catalog.release import Model, Release, Repository
from catalog.words import counted
from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files.digests import git_blob
from zoo.hub import BRANCH, Hub, Listed, Repo
from zoo.progress import Reporter
from zoo.publish.copies import Copies
from zoo.publish.stalls import watched
from zoo.release import news
from zoo.settings import Settings

_STALL_SECONDS = 60.0


@dataclass
class Repaired:
    """What was looked at and done. contents: read completely, each once. left: what could not be repaired, and why."""

    hub: str
    versions: int = 0
    contents: int = 0
    sent: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)


def repair(model: Model, hub: Hub, settings: Settings, report: Reporter) -> Repaired:
    """Look at every version of the model that the catalog records at ``hub``, and repair it.

    Raises InputError if it records none there, ZooError if the hub does not answer.
    """
    found = Repaired(hub.name)
    with tempfile.TemporaryDirectory(prefix="zoo-repair-") as scratch:
        copies = Copies.of(model, settings, Path(scratch))
        for release in model.releases:
            for place in release.places():
                if place.hub != hub.name:
                    continue
                found.versions += 1
                for kind, there in (("dataset", place.dataset), ("model", place.model)):
                    if there:
                        _Repository(kind, there, model, release, hub, copies, report, found).repair()
    if not found.versions:
        hubs = sorted({place.hub for release in model.releases for place in release.places()})
        raise InputError(
            f"the catalog records no version of {model.name} at {hub.name}",
            safe="Nothing was changed.",
            remedy=f"Name one of these with --hub: {', '.join(hubs)}",
        )
    return found


@dataclass(frozen=True)
class _Repository:
    """One repository of one version."""

    kind: str
    place: Repository
    model: Model
    release: Release
    hub: Hub
    copies: Copies
    report: Reporter
    found: Repaired

    @property
    def label(self) -> str:
        return f"{self.kind} {self.place.name}"

    def repair(self) -> None:
        namespace, _, name = self.place.name.partition("/")
        repo = self.hub.repo(self.kind, namespace, name)
        listing = self._listing(repo)
        if listing is None:
            return
        self._contents(repo, listing)
        self._refs(repo)

    def _listing(self, repo: Repo) -> dict[str, Listed] | None:
        commit = self.place.commit
        try:
            return repo.listing(commit)
        except (InputError, Damaged, RemoteError) as error:
            if isinstance(error, RemoteError) and error.kind != "revision_not_found":
                raise
            files = self.copies.record(self.release.version, self.kind)
            if repo.restore_commit(commit, files, news.message(self.model.name, self.release)):
                self.found.restored.append(f"commit {commit[:12]} of {self.label}")
                return repo.listing(commit)
            self.found.left.append(f"{self.label}: {error.what}")
            return None

    def _contents(self, repo: Repo, listing: dict[str, Listed]) -> None:
        unread = {_key(file): file for file in listing.values() if _key(file) not in self.found._seen}
        total = sum(file.size_bytes for file in unread.values())
        with self.report.task(f"reading {self.label} {self.place.tag} back", total, "B") as advance:
            for key, file in sorted(unread.items(), key=lambda item: item[1].path):
                why = self._why_wrong(repo, file)
                advance(file.size_bytes)
                self.found._seen.add(key)
                self.found.contents += 1
                if why:
                    self._send(repo, file, why)

    def _why_wrong(self, repo: Repo, file: Listed) -> str:
        """What is wrong with the served content; empty if it is as listed."""
        sha256, git = hashlib.sha256(), git_blob(file.size_bytes)
        try:
            with watched(self.report, f"reading {file.path} back from {self.hub.name}") as moved:
                for chunk in _read(repo, self.place.commit, file):
                    sha256.update(chunk)
                    git.update(chunk)
                    moved(len(chunk))
        except Damaged as error:
            return error.what
        except RemoteError as error:
            return error.what
        served = sha256.hexdigest() if file.sha256 else git.hexdigest()
        return "" if served == (file.sha256 or file.git_sha1) else "its content is damaged"

    def _send(self, repo: Repo, file: Listed, why: str) -> None:
        name = f"{file.path} of {self.label} {self.release.version}"
        copy = self.copies.find(file)
        if copy is None:
            self.found.left.append(f"{name}: {why}, and this machine has no copy of it")
            return
        self.report.say(f"{name}: {why}; it is sent again")
        try:
            with watched(self.report, f"sending {file.path} to {self.hub.name}") as moved:
                repo.restore(*copy, moved)
        except ZooError as error:
            self.found.left.append(f"{name}: {why}. It could not be sent again: {error.what}")
            return
        if still := self._why_wrong(repo, file):
            self.found.left.append(f"{name}: sent again, but {still}")
        else:
            self.found.sent.append(name)

    def _refs(self, repo: Repo) -> None:
        """A lost branch or tag is set again; one that was moved is somebody's doing, and only reported."""
        if self.release.version == self.model.preferred()[0].version and repo.restore_branch(BRANCH, self.place.commit):
            self.found.restored.append(f"branch {BRANCH} of {self.label}")
        there = repo.refs().tags.get(self.place.tag)
        if there and (there.startswith(self.place.commit) or self.place.commit.startswith(there)):
            return
        try:
            repo.tag(self.place.tag, self.place.commit, news.message(self.model.name, self.release))
            self.found.restored.append(f"tag {self.place.tag} of {self.label}")
        except ZooError as error:
            self.found.left.append(f"tag {self.place.tag} of {self.label}: {error.what}")


def _key(file: Listed) -> str:
    return file.sha256 or str(file.git_sha1)


def _read(repo: Repo, commit: str, file: Listed) -> Iterator[bytes | memoryview]:
    incoming = repo.incoming(commit, file, 0, file.size_bytes, _STALL_SECONDS)
    try:
        yield from incoming.chunks
    finally:
        incoming.close()


def sentence(name: str, found: Repaired) -> str:
    """The outcome for people."""
    looked = f"{counted(found.contents, 'content')} of {counted(found.versions, 'version')} of {name} at {found.hub}"
    if not found.sent and not found.restored:
        return f"Nothing to repair: {looked} were read back, and all are as recorded."
    lines = [*(f"  sent again: {one}" for one in found.sent), *(f"  restored: {one}" for one in found.restored)]
    return "\n".join([f"Repaired {name}: {looked} were read back.", *lines])


def refuse_left(name: str, found: Repaired) -> None:
    """Raises Damaged with all that could not be repaired, and what was."""
    if not found.left:
        return
    done = [f"sent again: {one}" for one in found.sent] + [f"restored: {one}" for one in found.restored]
    raise Damaged(
        "\n".join([f"{name} at {found.hub} is not completely repaired", *(f"  {line}" for line in found.left)]),
        safe="Repaired: " + "; ".join(done) + "." if done else "Nothing was changed.",
        remedy="If a copy is on another machine or at a mirror, put it into the release folder (zoo pull NAME@VERSION "
        "--to FOLDER) or run the command there",
    )
