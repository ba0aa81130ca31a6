"""Lost and damaged contents of published versions, found by reading every byte and sent again. No version changes.

What a hub lists for the recorded commit is compared with what it serves. Contents come from this machine, or else from
a mirror, each compared with its digest before it is sent. Lost tags and a lost main branch are set again. A
folder hub also gets lost commits again; ``lost`` names the versions whose commits cannot be written again, so only
another commit can have their files.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.release import Model, Release, Repository
from catalog.words import counted
from zoo import commandline
from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files.digests import git_blob
from zoo.files.filelist import MANIFEST, SUMS
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, Hub, HubConflict, Listed, Repo, otherrepo
from zoo.hub.folders import Folders
from zoo.hub.interface import is_same_commit
from zoo.hub.located import hubs_of
from zoo.hub.spoken import of_hub
from zoo.progress import Reporter
from zoo.publish import line, nowhere, others, repaired
from zoo.publish.copies import Copies
from zoo.publish.mirrors import SILENT, Mirrors
from zoo.publish.others import CARD
from zoo.publish.repaired import Repaired
from zoo.publish.stalls import watched
from zoo.release import news
from zoo.release.provenance import SIGNATURE
from zoo.settings import Settings

_STALL_SECONDS = 60.0
_GONE = ("not_found", "revision_not_found")
"""Kinds of errors of a hub without the repository or the commit."""

def repair(model: Model, hub: Hub, settings: Settings, report: Reporter) -> Repaired:
    """Look at every version of the model that the catalog records at ``hub``, and repair it.

    Raises InputError if it records none there, ZooError if the hub does not answer, with what was repaired before.
    """
    found = Repaired(hub.name)
    try:
        _every(model, hub, settings, report, found)
    except RemoteError as error:
        if done := repaired.done_lines(found):
            error.safe = f"Repaired: {'; '.join(done)}."
        raise
    for version in found.refused.intersection(found.lost):
        found.leave(found.lost.pop(version), "")
    if not found.versions:
        raise nowhere.refusal(model, hub, settings)
    return found


def _every(model: Model, hub: Hub, settings: Settings, report: Reporter, found: Repaired) -> None:
    with tempfile.TemporaryDirectory(prefix="zoo-repair-") as scratch:
        copies = Copies.of(model, settings, Path(scratch))
        mirrors = Mirrors(hub.name, Folders(settings).paths(), hubs_of(settings, quick=True), Path(scratch), report)
        # A commit can only be written again if its parent is known, so the oldest comes first.
        for release in reversed(model.releases):
            places = [place for place in release.places() if place.hub == hub.name]
            found.versions += bool(places)  # under two names of the hub it is still one version
            for place in places:
                both = [
                    _Repository(kind, there, model, release, hub, copies, mirrors, report, found, settings)
                    for kind, there in (("dataset", place.dataset), ("model", place.model))
                    if there
                ]
                # One half of a release next to that of another zoo helps nobody.
                refused = [one for one in both if one.is_refused()]
                for one in both:
                    if not refused:
                        one.repair()
                    elif one not in refused:
                        why = f"{one.label} of version {release.version} is left as it is, too"
                        found.leave(why, "It is repaired together with the other repository of the release")


@dataclass(frozen=True)
class _Repository:
    """One repository of one version."""

    kind: str
    place: Repository
    model: Model
    release: Release
    hub: Hub
    copies: Copies
    mirrors: Mirrors
    report: Reporter
    found: Repaired
    settings: Settings

    @property
    def label(self) -> str:
        return f"{self.kind} {self.place.name}"

    @property
    def highest(self) -> str:
        """The version that the main branch of this repository should hold."""
        return next(filter(self._has, self.model.preferred())).version

    @property
    def repo(self) -> Repo:
        namespace, _, name = self.place.name.partition("/")
        return self.hub.repo(self.kind, namespace, name)

    def is_refused(self) -> bool:
        """Whether it is another zoo's, which is noted. Raises RemoteError."""
        try:
            at = of_hub(self.hub, self.settings)
            otherrepo.refuse(self.repo, self.place, self.model, self.settings.releases, at)
        except RemoteError:
            raise
        except ZooError as error:
            self.found.outdated = True  # nor is its card changed
            self.found.refused.add(self.release.version)
            self.found.leave(error.what, error.remedy)
            return True
        return False

    def repair(self) -> None:
        repo = self.repo
        listing = self._listing(repo)
        if listing is None:
            return
        self._contents(repo, listing)
        newer = self._newer(repo) if self.release.version == self.highest else None
        if self.release.version == self.highest:
            known = [one.version for one in self.model.releases]
            tags = (one for one in line.unknown(repo.refs(), known) if one != newer)
            self.found.unknown += [repaired.unknown(one, self.label) for one in tags]
        if newer:
            self.found.outdated = True
            why = repaired.unknown(newer, self.place.name)
            self.found.leave(f"the main branch of {self.label}: {why}, so it is left as it is", repaired.NEWEST)
        self._refs(repo, is_main=self.release.version == self.highest and not newer)
        if self.release.version == self.highest and not newer and not self._unfinished(repo) and not self._moved(repo):
            self._main(repo)

    def _moved(self, repo: Repo) -> bool:
        """Whether the main branch holds a higher version that moved to another place. People may still get it here."""
        owner = line.owner_of(self.model.name, self.model, self.hub.name)
        there = {one.version for one in self.model.releases if self._has(one)}
        gone = {one.version for one in self.model.releases} - there
        held = line.moved(self.label, repo, repo.refs(), self.release.version, owner, gone)
        if held:
            self.found.moved.append(repaired.moved(held, f"the main branch of {self.label}"))
        return held is not None

    def _has(self, release: Release) -> bool:
        return self.place.name in _repositories(release, self.hub.name, self.kind)

    def _unfinished(self, repo: Repo) -> bool:
        """Whether the main branch holds a version that is not published completely. It is left as it is then."""
        owner = line.owner_of(self.model.name, self.model, self.hub.name)
        known = [one.version for one in self.model.releases]
        held = line.unfinished(self.label, repo, repo.refs(), owner, known)
        if held:
            self.found.outdated = True
            finish = commandline.line(self.settings, "publish", self.model.name)
            self.found.leave(repaired.unfinished(held, f"the main branch of {self.label}"), f"Finish it with: {finish}")
        return held is not None

    def _newer(self, repo: Repo) -> str | None:
        """The version that the main branch should hold, if only the hub knows it."""
        owner = line.owner_of(self.model.name, self.model, self.hub.name)
        known = [one.version for one in self.model.releases]
        return line.newer(self.label, repo, repo.refs(), self.release.version, owner, known)

    def _listing(self, repo: Repo) -> dict[str, Listed] | None:
        commit = self.place.commit
        try:
            return repo.listing(commit)
        except (InputError, Damaged, RemoteError) as error:
            if isinstance(error, RemoteError) and error.kind not in _GONE:
                raise
            files = self.copies.record(self.release.version, self.kind)
            title, parents = news.message(self.model.name, self.release), self.copies.parents(self.release.version)
            if files and repo.restore_commit(commit, files, title, parents):
                self.found.restored.append(f"commit {commit[:12]} of {self.label}")
                return repo.listing(commit)
            if is_same_commit(repo.refs().tags.get(self.place.tag, ""), commit):
                delete = repaired.deleting(self.hub.name, self.settings.hub, self.kind, self.place.name, self.place.tag)
                self.found.held.setdefault(self.release.version, []).append(delete)
            if self.release.version not in self.found.lost:
                self.found.lost[self.release.version] = f"{self.label}: {error.what}"
                self.found.absent += 1
            return None

    def _contents(self, repo: Repo, listing: dict[str, Listed]) -> None:
        unread = {_key(file): file for file in listing.values() if _key(file) not in self.found.seen}
        total = sum(file.size_bytes for file in unread.values())
        with self.report.task(f"reading {self.label} {self.place.tag} back", total, "B") as advance:
            for key, file in sorted(unread.items(), key=lambda item: item[1].path):
                why = self._why_wrong(repo, file)
                advance(file.size_bytes)
                self.found.seen.add(key)
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
            _refuse_silent(repo, error)
            return error.what
        served = sha256.hexdigest() if file.sha256 else git.hexdigest()
        return "" if served == (file.sha256 or file.git_sha1) else "its content is damaged"

    def _send(self, repo: Repo, file: Listed, why: str) -> None:
        name = f"{file.path} of {self.label} {self.release.version}"
        copy = self.copies.find(file) or self.mirrors.find(self.release, self.kind, file)
        if copy is None:
            self.found.leave(f"{name}: {why}, and neither this machine nor a mirror has a copy of it", repaired.COPIES)
            return
        try:
            with watched(self.report, f"sending {file.path} to {self.hub.name}") as moved:
                repo.restore(*copy, moved)
        except ZooError as error:
            _refuse_silent(repo, error)
            what = f"{name}: {why}. It could not be sent again: {error.what}"
            self.found.leave(what, error.remedy or repaired.REPEAT)
            return
        if still := self._why_wrong(repo, file):
            self.found.leave(f"{name}: sent again, but {still}", repaired.DISK)
        else:
            self.found.sent.append(name)

    def _refs(self, repo: Repo, *, is_main: bool) -> None:
        """A lost branch or tag is set again; one that was moved is somebody's doing, and only reported. is_main: the
        main branch should be on this version."""
        if is_main and repo.restore_branch(BRANCH, self.place.commit):
            self.found.restored.append(f"branch {BRANCH} of {self.label}")
        if is_same_commit(repo.refs().tags.get(self.place.tag, ""), self.place.commit):
            return
        try:
            repo.tag(self.place.tag, self.place.commit, news.message(self.model.name, self.release))
            self.found.restored.append(f"tag {self.place.tag} of {self.label}")
        except HubConflict as error:
            delete = repaired.deleting(self.hub.name, self.settings.hub, self.kind, self.place.name, self.place.tag)
            move = commandline.line(self.settings, "publish", self.model.name, "--move")
            advice = (
                f"If nobody of yours moved the tag, delete {delete}. Then run the same command again. "
                f"If the new commit is right, record it with: {move}"
            )
            self.found.leave(f"tag {self.place.tag} of {self.label}: {error.what}", advice)
        except ZooError as error:
            self.found.leave(f"tag {self.place.tag} of {self.label}: {error.what}", error.remedy or repaired.REPEAT)

    def _main(self, repo: Repo) -> None:
        """Files that the main branch lacks, or that someone changed there, are committed again. A changed card stays:
        it may have a notice or a correction."""
        head = repo.refs().branches.get(BRANCH)
        files = self.copies.record(self.release.version, self.kind) or self._published(repo)
        there = repo.tree(head) if head else {}
        lacking = [one for one in files if there.get(one.path) != one and (one.path != CARD or CARD not in there)]
        if not head or not lacking:
            return
        for file in lacking:
            listed = Listed(file.path, file.size_bytes, file.sha256)
            copy = self.copies.find(listed) or self.mirrors.fetch(repo, self.hub.name, self.place, listed)
            if copy is None:
                what = f"{file.path} on the branch of {self.label}: neither this machine nor the hub has a copy of it"
                self.found.leave(what, repaired.COPIES)
                return
            with watched(self.report, f"sending {file.path} to {self.hub.name}") as moved:
                repo.put(*copy, moved)
        repo.commit(head, lacking, [], f"{self.model.name} {self.release.version}: files of the main branch restored")
        self.found.restored.append(f"{counted(len(lacking), 'file')} on the branch of {self.label}")

    def _published(self, repo: Repo) -> tuple[FileRecord, ...]:
        """The files of the version by its own list, for a machine that did not release it; empty without the list."""
        try:
            there = repo.tree(self.place.commit)
            released = others.released(repo, self.place.commit, there)
        except ZooError:
            return ()  # a lost or damaged content, which is noted already
        lists = {path for path in (MANIFEST, SUMS, SIGNATURE) if path in there} if released else set[str]()
        return tuple(file for path, file in sorted(there.items()) if file.sha256 == released.get(path) or path in lists)


def _repositories(release: Release, hub: str, kind: str) -> set[str]:
    """The repositories of a kind that have a release on a hub."""
    places = [place.model if kind == "model" else place.dataset for place in release.places() if place.hub == hub]
    return {place.name for place in places if place}


def _refuse_silent(repo: Repo, error: ZooError) -> None:
    """Raises RemoteError if a hub no longer answers anything, so that each further content would wait for it too."""
    if isinstance(error, RemoteError) and error.kind in SILENT:
        repo.refs()


def _key(file: Listed) -> str:
    return file.sha256 or str(file.git_sha1)


def _read(repo: Repo, commit: str, file: Listed) -> Iterator[bytes | memoryview]:
    incoming = repo.incoming(commit, file, 0, file.size_bytes, _STALL_SECONDS)
    try:
        yield from incoming.chunks
    finally:
        incoming.close()
