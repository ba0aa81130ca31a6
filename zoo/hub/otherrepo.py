"""A repository of the same name that is not the recorded one, such as in a hub of another zoo that took its folder."""

from __future__ import annotations

import hashlib
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


def refuse(repo: Repo, place: Repository, model: Model, releases: Path) -> None:
    """Raises OtherRepository for a repository that is not the recorded one: it has no commit that the catalog records
    for a repository of this name; its tag, or its main branch, is on a release; and neither of them is a release that
    the catalog records or that was made on this machine, in ``releases``, such as one whose publication was killed.

    Any other one without the recorded commit is damaged, was made again, or somebody moved its tag. RemoteError if the
    hub does not answer.
    """
    refs = repo.refs()
    tagged, head = refs.tags.get(place.tag, ""), refs.branches.get(BRANCH, "")
    if is_same_commit(tagged, place.commit) or _has(repo, place.commit):
        return
    tagged = tagged if tagged and _has(repo, tagged) else ""
    seen = {commit: _manifest(repo, commit) for commit in (tagged, head) if commit}
    known = _recorded(model, place.name)
    ours = {one.manifest_sha256 for one in known} | _made(releases / model.name)
    if any(one and one[0] in ours for one in seen.values()) or any(_has(repo, one.commit) for one in known):
        return
    there = seen.get(head)
    if tagged:
        why = f"its tag {place.tag} is on {tagged[:12]}"
    elif there and None not in ours:
        why = f"its branch {BRANCH} holds {show(there[1])} with other files than the catalog records"
    else:
        return  # the catalog of an earlier version of this program has no digests
    raise OtherRepository(
        f"{place.name} on this hub is not the recorded repository: it lacks commit {place.commit[:12]}, and {why}",
        safe="Nothing was changed there.",
        remedy="If it is yours, get the newest catalog (git pull), or finish the publication on the machine where it "
        "began. Otherwise name the right hub with --hub, or move the other one away",
    )


def _recorded(model: Model, name: str) -> list[Repository]:
    """Every place of a version in a repository of this name."""
    places = [each for one in model.releases for at in one.places() for each in (at.model, at.dataset) if each]
    return [one for one in places if one.name == name]


def _made(folder: Path) -> set[str]:
    """Digests of the manifests of a model's release folders on this machine."""
    return {sha256_file(path) for path in folder.rglob(MANIFEST) if path.is_file()}


def _manifest(repo: Repo, commit: str) -> tuple[str, str] | None:
    """The digest and the version of the manifest of a commit; None if it has none, or nothing of it is known."""
    try:
        if repo.served(commit, MANIFEST).absent:
            return None
        with repo.open(commit, MANIFEST) as stream:
            raw = stream.read(_MANIFEST_BYTES)
        return hashlib.sha256(raw).hexdigest(), shaped(jsontext.parse(raw), _Told)["version"]
    except RemoteError:
        raise
    except (InputError, Damaged, jsontext.NotJson, WrongShape):
        return None


def _has(repo: Repo, commit: str) -> bool:
    return repo.served(commit, MANIFEST).absent != ABSENT_COMMIT
