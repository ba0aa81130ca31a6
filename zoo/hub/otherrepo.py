"""A repository of the same name that is not the recorded one, such as in a hub of another zoo that took its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.jsontext import Json
from catalog.problems import show
from catalog.release import Model, Repository
from catalog.shapes import WrongShape, shaped
from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files import journal
from zoo.files.digests import git_blob_sha1, sha256_file
from zoo.files.filelist import MANIFEST
from zoo.hub.interface import ABSENT_COMMIT, ABSENT_FILE, BRANCH, STAGING, Refs, Repo, is_same_commit

_MANIFEST_BYTES = 4 << 20
_OF_A_HUB = {".gitattributes", "README.md"}


class OtherRepository(ZooError):
    """It is another zoo's."""


class _Told(TypedDict):
    version: str


@dataclass(frozen=True)
class Held:
    """The release at a commit: the digest of its manifest, and its version."""

    manifest_sha256: str
    version: str


@dataclass(frozen=True)
class Ours:
    """What tells a release of this zoo: digests of manifests, and commits, recorded or made on this machine.
    undigested: versions that the catalog of an earlier version of this program records without a digest. kept: files of
    other people that publications from this machine kept."""

    manifests: frozenset[str]
    commits: frozenset[str]
    undigested: frozenset[str]
    kept: frozenset[str]

    def has(self, commit: str, there: Held | None) -> bool:
        """Whether a commit with the release ``there`` is this zoo's."""
        known = any(is_same_commit(commit, one) for one in self.commits)
        return known or (there is not None and there.manifest_sha256 in self.manifests)


def ours(model: Model | None, names: Iterable[str], releases: Path, repository: str = "") -> Ours:
    """What the catalog records for a model, and what was made on this machine under one of its names, in ``releases``.

    repository: only what is recorded for the one with this name.
    """
    known = [one for one in (recorded(model) if model else []) if repository in ("", one.name)]
    folders = [releases / one for one in names]
    noted = [entry for folder in folders for entry in _noted(folder)]
    return Ours(
        frozenset({one.manifest_sha256 for one in known if one.manifest_sha256}.union(*map(made, folders))),
        frozenset({*(one.commit for one in known), *(one.oid for one in noted if one.oid)}),
        frozenset(one.tag.removeprefix("v") for one in known if not one.manifest_sha256),
        frozenset(path for one in noted for path in one.keep),
    )


def refuse(repo: Repo, place: Repository, model: Model, releases: Path, hub: str) -> None:
    """Raises OtherRepository for a repository that is not the recorded one: it has no commit that the catalog records
    for a repository of this name; it has a release under the version's tag, on its main branch or, without these, in a
    staging, or files on its main branch; and none of this is what the catalog records or what was made on this machine,
    such as a release whose publication was killed.

    Any other one without the recorded commit is damaged, was made again, or somebody moved its tag. releases: the
    folder of release folders. hub: where it is, for people. RemoteError if the hub does not answer.
    """
    refs = repo.refs()
    tagged = refs.tags.get(place.tag, "")
    if is_same_commit(tagged, place.commit) or has_recorded(repo, place):
        return
    tagged = tagged if tagged and has(repo, tagged) else ""
    mine = ours(model, (model.name, *model.former_names), releases, place.name)
    known = [one for one in recorded(model) if one.name == place.name]
    there = heads(repo, refs)
    if (tagged and mine.has(tagged, held(repo, tagged))) or any(mine.has(one.commit, one.held) for one in there):
        return
    if any(has_recorded(repo, one) for one in known):
        return
    why = f"its tag {place.tag} is on {tagged[:12]}" if tagged else ""
    for branch, release in [] if why else [(one.branch, one.held) for one in there if one.held]:
        if release.version not in mine.undigested:
            why = f"its branch {branch} holds {show(release.version)} with other files than the catalog records"
    ways = "get the newest catalog (git pull), or finish the publication on the machine where it began"
    if not any(one.held for one in there) and not why and (loose := _loose(repo, refs.branches.get(BRANCH), mine)):
        why = f"no release of this zoo put {show(loose[0])} on its branch {BRANCH}"
        ways = f"delete {', '.join(map(show, loose[:5]))} there, {ways}"
    if why:
        raise OtherRepository(
            f"{place.name} at {hub} is not the recorded repository: it lacks commit {place.commit[:12]}, and {why}",
            safe="Nothing was changed there.",
            remedy=f"If it is yours, {ways}. Otherwise name the right hub with --hub, or move the other one away",
        )


@dataclass(frozen=True)
class Head:
    """A branch, its commit, and the release there; None if it has none, or nothing of it is known."""

    branch: str
    commit: str
    held: Held | None


def heads(repo: Repo, refs: Refs) -> list[Head]:
    """The branches that tell whose a repository is: the main one, or those of stagings if that has no release. Raises
    RemoteError."""
    main = [Head(BRANCH, one, held(repo, one)) for one in [refs.branches.get(BRANCH)] if one]
    if any(one.held for one in main):
        return main
    staged = sorted(item for item in refs.branches.items() if item[0].startswith(STAGING))
    return [*main, *(Head(branch, commit, held(repo, commit)) for branch, commit in staged)]


def recorded(model: Model) -> list[Repository]:
    """The repositories of every place of every version."""
    places = [place for one in model.releases for place in one.places()]
    return [each for place in places for each in (place.model, place.dataset) if each]


def made(folder: Path) -> set[str]:
    """Digests of the manifests of a model's release folders on this machine."""
    return {sha256_file(path) for path in folder.rglob(MANIFEST) if path.is_file()}


@dataclass(frozen=True)
class _Noted:
    oid: str = ""
    keep: tuple[str, ...] = ()


def _noted(folder: Path) -> Iterator[_Noted]:
    """What publications from a model's release folders committed, and which files they kept, by their journals."""
    for path in (*folder.glob("*.jsonl"), *folder.glob(".*/*.jsonl")):
        if path.is_file():
            yield from journal.read(path, _note)


def _note(line: Json) -> _Noted:
    told = shaped(line, dict[str, object])
    if told["step"] == "committed":
        return _Noted(oid=str(told["oid"]))
    keep = told.get("keep") if told["step"] == "committing" else None
    return _Noted(keep=tuple(map(str, keep)) if isinstance(keep, list) else ())


def _loose(repo: Repo, head: str | None, mine: Ours) -> list[str]:
    """The files of a branch without a release, but for those that a hub makes for a new repository, and those that
    were kept next to a release of this zoo."""
    try:
        there = repo.tree(head) if head else {}
        if head and MANIFEST in there and _sha256(repo, head) != there[MANIFEST].sha256:
            return []  # it may have been a release
    except RemoteError:
        raise
    except (InputError, Damaged):
        return []  # the hub lost the commit
    return sorted(set(there) - _OF_A_HUB - mine.kept)


def _sha256(repo: Repo, commit: str) -> str:
    with repo.open(commit, MANIFEST) as stream:
        return hashlib.sha256(stream.read(_MANIFEST_BYTES)).hexdigest()


def held(repo: Repo, commit: str) -> Held | None:
    """The release at a commit; None if it has none, or nothing of it is known. Raises RemoteError."""
    try:
        if repo.served(commit, MANIFEST).absent:
            return None
        with repo.open(commit, MANIFEST) as stream:
            raw = stream.read(_MANIFEST_BYTES)
        return Held(hashlib.sha256(raw).hexdigest(), shaped(jsontext.parse(raw), _Told)["version"])
    except RemoteError:
        raise
    except (InputError, Damaged, jsontext.NotJson, WrongShape):
        return None


def has(repo: Repo, commit: str) -> bool:
    """Whether a repository has a commit. Raises RemoteError."""
    return repo.served(commit, MANIFEST).absent != ABSENT_COMMIT


def has_recorded(repo: Repo, place: Repository) -> bool:
    """Whether a repository has the commit of a place with the recorded manifest. A damaged one is another matter: there
    the hub itself lists another digest than it serves. Raises RemoteError."""
    there = repo.served(place.commit, MANIFEST)
    if there.absent == ABSENT_COMMIT or (there.absent == ABSENT_FILE and place.manifest_sha256):
        return False
    if there.absent or not place.manifest_sha256 or there.sha256 == place.manifest_sha256:
        return True
    if there.sha256:
        return False
    try:
        with repo.open(place.commit, MANIFEST) as stream:
            raw = stream.read(_MANIFEST_BYTES)
    except InputError:
        return False  # it answers so for any commit, but cannot list this one
    except Damaged:
        return True
    return hashlib.sha256(raw).hexdigest() == place.manifest_sha256 or git_blob_sha1(raw) != there.git_sha1
