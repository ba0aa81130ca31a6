"""A repository of the same name that is not the recorded one, such as in a hub of another zoo that took its folder."""

from __future__ import annotations

import hashlib
from typing import TypedDict

from catalog import jsontext
from catalog.problems import show
from catalog.release import Model, Repository
from catalog.shapes import WrongShape, shaped
from zoo.errors import Damaged, InputError, RemoteError, ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub.interface import ABSENT_COMMIT, BRANCH, Refs, Repo, is_same_commit

_MANIFEST_BYTES = 4 << 20


class OtherRepository(ZooError):
    """It is another zoo's."""


class _Told(TypedDict):
    version: str


def refuse(repo: Repo, place: Repository, model: Model) -> None:
    """Raises OtherRepository for a repository without the recorded commit, whose tag is on another one that it has, or
    which has no commit of the model that is recorded in a repository of this name, but a release on its main branch.
    Otherwise the recorded one is damaged, or somebody moved its tag. RemoteError if the hub does not answer."""
    refs = repo.refs()
    tagged = refs.tags.get(place.tag, "")
    if is_same_commit(tagged, place.commit) or _has(repo, place.commit):
        return
    if tagged and _has(repo, tagged):
        why = f"its tag {place.tag} is on {tagged[:12]}"
    elif version := _strange(repo, refs, place, model):
        why = f"its branch {BRANCH} holds {show(version)} with other files than the catalog records"
    else:
        return
    raise OtherRepository(
        f"{place.name} on this hub is not the recorded repository: it lacks commit {place.commit[:12]}, and {why}",
        safe="Nothing was changed there.",
        remedy="Name the right hub with --hub, or move the other one away",
    )


def _strange(repo: Repo, refs: Refs, place: Repository, model: Model) -> str:
    """The version that the main branch holds, if the catalog records nothing that is in the repository."""
    head = refs.branches.get(BRANCH)
    places = [each for one in model.releases for at in one.places() for each in (at.model, at.dataset) if each]
    known = [one for one in places if one.name == place.name]
    try:
        if not head or repo.served(head, MANIFEST).absent:
            return ""
        with repo.open(head, MANIFEST) as stream:
            raw = stream.read(_MANIFEST_BYTES)
        version = shaped(jsontext.parse(raw), _Told)["version"]
    except RemoteError:
        raise
    except (InputError, Damaged, jsontext.NotJson, WrongShape):
        return ""  # of a damaged branch nothing is known
    digest = hashlib.sha256(raw).hexdigest()
    is_known = any(digest == (one.manifest_sha256 or digest) for one in known)
    return "" if is_known or any(_has(repo, one.commit) for one in known) else version


def _has(repo: Repo, commit: str) -> bool:
    return repo.served(commit, MANIFEST).absent != ABSENT_COMMIT
