"""Published contents that this machine has no copy of, fetched from the mirrors that the catalog records.

The catalog does not say which folder a folder hub is, so those of the settings are asked. Every content is compared
with its digest, so a wrong folder only has nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.release import Release, Repository
from zoo.errors import RemoteError, ZooError
from zoo.files.digests import git_blob_sha1, sha256_file
from zoo.hub import Hubs, Listed, Repo
from zoo.hub.folders import FOLDER, UNKNOWN
from zoo.progress import Reporter
from zoo.publish.stalls import watched

SILENT = ("unreachable", "stalled", "proxy", "rate_limited")
"""Kinds of errors of a hub that may not answer any other question either."""
_STALL_SECONDS = 60.0
_GIT_BYTES = 16 << 20


@dataclass
class Mirrors:
    """The mirrors of releases. hub: the one that is repaired, which is not asked. folders: folder hubs that may be a
    recorded one. scratch: a folder for contents."""

    hub: str
    folders: Sequence[str]
    hubs: Hubs
    scratch: Path
    report: Reporter
    _listings: dict[tuple[str, str], dict[str, Listed]] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)

    def find(self, release: Release, kind: str, file: Listed) -> tuple[Path, str] | None:
        """A file of a release as a mirror has it, with the digest that is wanted, and its sha256. None if no mirror has
        it or answers. The folder holds one content at a time."""
        for place in release.places():
            there = place.model if kind == "model" else place.dataset
            if there is None or place.hub in (self.hub, UNKNOWN):
                continue
            for hub in self.folders if place.hub == FOLDER else {place.hub} - self._silent:
                try:
                    namespace, _, name = there.name.partition("/")
                    repo = self.hubs.open(hub).repo(kind, namespace, name)
                    if found := self.fetch(repo, hub, there, file):
                        return found
                except (ZooError, OSError) as error:
                    if isinstance(error, RemoteError) and error.kind in SILENT:
                        self._silent.add(hub)
                    self.report.warn(f"{file.path} could not be fetched from {hub}: {error}")
        return None

    def fetch(self, repo: Repo, hub: str, there: Repository, file: Listed) -> tuple[Path, str] | None:
        """A file as ``hub`` has it at the commit of ``there``, as ``find`` gives it. Raises ZooError, OSError."""
        key = (hub, there.name + there.commit)
        if key not in self._listings:
            self._listings[key] = repo.listing(there.commit)
        listed = self._listings[key].get(file.path)
        if listed is None or listed.size_bytes != file.size_bytes:
            return None
        target = self.scratch / "from-mirror"
        incoming = repo.incoming(there.commit, listed, 0, listed.size_bytes, _STALL_SECONDS)
        try:
            with watched(self.report, f"fetching {file.path} from {hub}") as moved, target.open("wb") as stream:
                for chunk in incoming.chunks:
                    stream.write(chunk)
                    moved(len(chunk))
        finally:
            incoming.close()
        sha256 = sha256_file(target)
        if file.sha256:
            return (target, sha256) if sha256 == file.sha256 else None
        same = file.size_bytes <= _GIT_BYTES and git_blob_sha1(target.read_bytes()) == file.git_sha1
        return (target, sha256) if same else None
