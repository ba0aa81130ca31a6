"""Which branch of a repository a version goes to. ``main`` holds the highest stable version, because people who name no
version read it. A backport or a pre-release goes to a branch of its own, which is deleted once the tag is set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from catalog import jsontext
from catalog.problems import show
from catalog.release import Location, Model
from catalog.shapes import WrongShape, shaped
from catalog.versions import preference, version_key
from zoo.errors import Damaged, InputError
from zoo.files.filelist import MANIFEST
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, Refs, Repo
from zoo.hub.interface import STAGING

BESIDE = "publish-"
"""What the name of a branch of its own begins with; the version follows."""

_NUMBER = r"(?:0|[1-9][0-9]{0,5})"
VERSION = re.compile(
    rf"{_NUMBER}(?:\.{_NUMBER}){{2}}(?:-[0-9A-Za-z-]{{1,20}}(?:\.[0-9A-Za-z-]{{1,20}}){{0,3}})?\Z"
)
_MANIFEST_BYTES = 4 << 20


class OtherModel(InputError):
    """The repository belongs to another model."""


@dataclass(frozen=True)
class Owner:
    """The model that a repository belongs to: its names, the former ones too, and its recorded commits with their
    versions, so that those need not be read."""

    names: tuple[str, ...] = ()
    commits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A branch and the commit that the next one is made on; None in an empty repository. begins: the branch is new.

    above: the version that ``main`` keeps, if the branch is another one.
    """

    branch: str = BRANCH
    head: str | None = None
    begins: bool = False
    above: str | None = None


NOBODY = Owner()
"""Any model; for repositories of which the catalog knows nothing."""
MAIN = Line()
"""The main branch of an empty repository."""


def owner_of(name: str, model: Model | None, hub: str) -> Owner:
    """The owner of the repositories of a model, from the catalog's record of its releases on a hub."""
    places = [place for one in (model.releases if model else ()) for place in _places(one.location, hub)]
    return Owner((name, *(model.former_names if model else ())), dict(places))


def _places(location: Location, hub: str) -> Iterable[tuple[str, str]]:
    if location.hub == hub:
        for place in (location.model, location.dataset):
            if place:
                yield place.commit, place.tag.removeprefix("v")


def choose(label: str, repo: Repo, refs: Refs, version: str, owner: Owner) -> Line:
    """The line of a version that has no tag yet. Raises OtherModel if the repository is another model's."""
    head = refs.branches.get(BRANCH)
    if head is None:
        return MAIN
    held = _held(label, repo, head, owner)
    tagged = {name.removeprefix("v"): oid for name, oid in refs.tags.items() if _is_version(name)}
    others = {*tagged, *([held] if held else [])} - {version}
    highest = max(others, key=preference, default=None)
    if highest is None or preference(highest) < preference(version):
        return Line(head=head)
    branch = f"{BESIDE}{version}"
    if branch in refs.branches:
        return Line(branch, refs.branches[branch], above=highest)
    lower = [one for one in tagged if version_key(one) < version_key(version)]
    start = tagged[max(lower, key=version_key)] if lower else head
    return Line(branch, start, begins=True, above=highest)


def staging(label: str, repo: Repo, refs: Refs, version: str, owner: Owner) -> Line:
    """The line of a version that is staged: a branch that no reader gets by default. Raises OtherModel."""
    branch, head = f"{STAGING}{version}", refs.branches.get(BRANCH)
    refuse_other_model(label, repo, head, owner)
    there = refs.branches.get(branch)
    return Line(branch, there) if there else Line(branch, head, begins=head is not None)


def of_tagged(refs: Refs, version: str) -> Line:
    """The line of a version with a tag: the branch that a stopped run left, if there is one."""
    branch = f"{BESIDE}{version}"
    if branch in refs.branches:
        return Line(branch, refs.branches[branch])
    return Line(head=refs.branches.get(BRANCH))


def is_behind(label: str, repo: Repo, refs: Refs, version: str, owner: Owner) -> bool:
    """Whether the main branch holds a lower version, although this one, which has its tag, is the highest there."""
    head, tag = refs.branches.get(BRANCH), refs.tags.get(f"v{version}")
    highest = max((name.removeprefix("v") for name in refs.tags if _is_version(name)), key=preference, default=None)
    if head is None or head == tag or highest != version:
        return False
    held = _held(label, repo, head, owner)
    return held is not None and preference(held) < preference(version)


def unknown(refs: Refs, known: Iterable[str]) -> list[str]:
    """Versions with a tag that are not one of ``known``, the highest first."""
    tagged = {name.removeprefix("v") for name in refs.tags if _is_version(name)}
    return sorted(tagged - set(known), key=preference, reverse=True)


def newer(label: str, repo: Repo, refs: Refs, version: str, owner: Owner, known: Iterable[str]) -> str | None:
    """The highest version with a tag that should be on the main branch instead of ``version`` and is not one of
    ``known``: another machine published it, and the catalog here is older. Tags of other models and tags without a
    release do not count. Raises ZooError if the hub does not answer."""
    for one in (other for other in unknown(refs, known) if preference(other) > preference(version)):
        try:
            if _held(label, repo, refs.tags[f"v{one}"], owner) == one:
                return one
        except OtherModel:
            continue
    return None


def unfinished(label: str, repo: Repo, refs: Refs, owner: Owner, known: Iterable[str]) -> str | None:
    """The version that the main branch holds without its tag, if it is not one of ``known``: its publication was
    stopped, or still runs. None for a branch of which the hub lost the commit. Raises ZooError if it does not answer.
    """
    head = refs.branches.get(BRANCH)
    try:
        held = _held(label, repo, head, owner) if head else None
    except (OtherModel, Damaged):
        return None
    return held if held and held not in known and f"v{held}" not in refs.tags else None


def moved(label: str, repo: Repo, refs: Refs, version: str, owner: Owner, gone: Iterable[str]) -> str | None:
    """The version that the main branch still holds, if it is a higher one than ``version`` and one of ``gone``: those
    that the catalog records only at other places. None for a branch of which the hub lost the commit. Raises ZooError
    if it does not answer."""
    head = refs.branches.get(BRANCH)
    try:
        held = _held(label, repo, head, owner) if head else None
    except (OtherModel, Damaged):
        return None
    return held if held and held in gone and preference(held) > preference(version) else None


def refuse_other_model(label: str, repo: Repo, head: str | None, owner: Owner) -> None:
    """Raises OtherModel if a commit of the repository holds another model's release."""
    if head is not None:
        _held(label, repo, head, owner)


def tree_of(label: str, repo: Repo, oid: str) -> dict[str, FileRecord]:
    """The files of a commit that a branch or a tag of the repository is on. Raises Damaged if the hub lost it."""
    try:
        return repo.tree(oid)
    except (InputError, Damaged) as error:
        raise Damaged(
            f"a branch or a tag of {label} is on commit {oid[:12]}, which the hub lost: {error.what}",
            safe="Nothing was changed.",
            remedy="Repair it with: zoo publish NAME --repair",
        ) from error


class _Told(TypedDict):
    name: str
    version: str


def _held(label: str, repo: Repo, head: str, owner: Owner) -> str | None:
    """The version at a commit, None if that holds no release. Raises OtherModel if it is another model's."""
    if head in owner.commits:
        return owner.commits[head]
    if MANIFEST not in tree_of(label, repo, head):
        return None
    with repo.open(head, MANIFEST) as stream:
        raw = stream.read(_MANIFEST_BYTES)
    try:
        told = shaped(jsontext.parse(raw), _Told)
    except (jsontext.NotJson, WrongShape):
        return None
    if owner.names and told["name"] not in owner.names:
        raise OtherModel(
            f"{label} belongs to another model: it holds {show(told['name'])} {show(told['version'])}",
            safe="Nothing was changed.",
            remedy="Name another repository under `publish:` in the recipe",
        )
    return told["version"] if VERSION.match(told["version"]) else None


def _is_version(tag: str) -> bool:
    return tag.startswith("v") and VERSION.match(tag.removeprefix("v")) is not None
