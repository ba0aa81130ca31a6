"""A repository of the same name that is not the recorded one, such as in a hub of another zoo that took its folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.problems import show
from catalog.release import Model, Repository
from catalog.shapes import WrongShape, shaped
from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files.digests import sha256_file
from zoo.files.filelist import MANIFEST
from zoo.hub.interface import ABSENT_COMMIT, BRANCH, Repo, is_same_commit

_MANIFEST_BYTES = 4 << 20


class OtherRepository(ZooError):
    """It is another zoo's."""


class _Told(TypedDict):
    version: str


@dataclass(frozen=True)
class Held:
    """The release at a commit: the digest of its manifest, and its version."""

    manifest_sha256: str
    version: str


def refuse(repo: Repo, place: Repository, model: Model, releases: Path, hub: str) -> None:
    """Raises OtherRepository for a repository that is not the recorded one: it has no commit that the catalog records
    for a repository of this name; its tag, or its main branch, is on a release; and neither of them is a release that
    the catalog records or that was made on this machine, in ``releases``, such as one whose publication was killed.

    Any other one without the recorded commit is damaged, was made again, or somebody moved its tag. hub: where it is,
    for people. RemoteError if the hub does not answer.
    """
    refs = repo.refs()
    tagged, head = refs.tags.get(place.tag, ""), refs.branches.get(BRANCH, "")
    if is_same_commit(tagged, place.commit) or has(repo, place.commit):
        return
    tagged = tagged if tagged and has(repo, tagged) else ""
    seen = {commit: held(repo, commit) for commit in (tagged, head) if commit}
    known = [one for one in recorded(model) if one.name == place.name]
    ours = {one.manifest_sha256 for one in known} | made(releases / model.name)
    if any(one and one.manifest_sha256 in ours for one in seen.values()) or any(has(repo, one.commit) for one in known):
        return
    there = seen.get(head)
    if tagged:
        why = f"its tag {place.tag} is on {tagged[:12]}"
    elif there and None not in ours:
        why = f"its branch {BRANCH} holds {show(there.version)} with other files than the catalog records"
    else:
        return  # the catalog of an earlier version of this program has no digests
    raise OtherRepository(
        f"{place.name} at {hub} is not the recorded repository: it lacks commit {place.commit[:12]}, and {why}",
        safe="Nothing was changed there.",
        remedy="If it is yours, get the newest catalog (git pull), or finish the publication on the machine where it "
        "began. Otherwise name the right hub with --hub, or move the other one away",
    )


def recorded(model: Model) -> list[Repository]:
    """The repositories of every place of every version."""
    places = [place for one in model.releases for place in one.places()]
    return [each for place in places for each in (place.model, place.dataset) if each]


def made(folder: Path) -> set[str]:
    """Digests of the manifests of a model's release folders on this machine."""
    return {sha256_file(path) for path in folder.rglob(MANIFEST) if path.is_file()}


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
