"""Whether a release may go to a place, by what the catalog already records: decided before anything is sent. Pure.

A version has one place. The same files elsewhere are a mirror of it, or it moves there. Everything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from catalog.access import recorded
from catalog.release import Location, Release
from zoo import addresses
from zoo.commandline import Command
from zoo.errors import InputError
from zoo.hub.folders import FOLDER
from zoo.publish.plan import VersionTaken
from zoo.release.folder import bare


class Way(Enum):
    """What publishing does to the catalog: a first or the recorded place, one more mirror, or another place."""

    PLACE = "place"
    MIRROR = "mirror"
    MOVE = "move"


@dataclass(frozen=True)
class Place:
    """A hub and the full names of the repositories there; dataset is None without one. publish and build: give the
    command that does it there, with the options that they are given. has: whether this hub
    has the commit of a location, so that it may be that hub under another name, or a copy. elsewhere: the folder of a
    location that is recorded in another folder than this one, else empty. is_alias: whether this hub is the one of a
    location, under another name; None if that is not known. is_unknown: whether this machine
    knows no folder of a location that exists. at: the hub for people, if ``hub`` does not say it."""

    hub: str
    model: str
    dataset: str | None
    publish: Command
    build: Command
    has: Callable[[Location], bool] = lambda _: False
    elsewhere: Callable[[Location], str] = lambda _: ""
    is_alias: Callable[[Location], bool | None] = lambda _: False
    is_unknown: Callable[[Location], bool] = lambda _: False
    at: str = ""

    @property
    def spoken(self) -> str:
        """The hub for people."""
        return self.at or self.hub

    def holds(self, location: Location) -> bool:
        """Whether a location is here, at any commit."""
        dataset = location.dataset.name if location.dataset else None
        is_here = addresses.is_same_place(location.hub, self.hub) and not self.elsewhere(location)
        return is_here and (location.model.name, dataset) == (self.model, self.dataset)


@dataclass(frozen=True)
class Decision:
    """way: what publishing does. recorded: where the catalog says that the release is at this place, if it does."""

    way: Way
    recorded: Location | None = None


def decide(
    name: str, release: Release, manifest_sha256: str | None, known: Release | None, place: Place, asked: Way
) -> Decision:
    """What publishing ``release`` at ``place`` means. known: the catalog's record of this version. manifest_sha256: the
    digest of the list of all files of its model repository.

    Raises VersionTaken or InputError, with the command to use instead.
    """
    who = f"{name} {release.version}"
    if known is None:
        if asked is not Way.PLACE:
            what = "mirrored" if asked is Way.MIRROR else "moved"
            raise InputError(
                f"{who} is not in the catalog yet, so it cannot be {what}",
                safe="Nothing was changed.",
                remedy=f"Publish it first with: {place.publish()}",
            )
        return Decision(Way.PLACE)
    if not same(release, known):
        raise VersionTaken(
            f"{who} is in the catalog with different content",
            safe="Nothing was changed; published versions never change.",
            remedy="Raise the version in the recipe, then release again",
        )
    if asked is Way.MIRROR and place.hub == FOLDER:
        _refuse_second_folder(who, known, place)
    if place.holds(known.location):
        if asked is Way.MIRROR:
            other = "" if place.hub == known.location.hub else f": {place.hub} is another name of {known.location.hub}"
            raise InputError(
                f"{who} is published at {place.spoken} itself, so this is not a mirror{other}",
                safe="Nothing was changed.",
                remedy="Name another hub with --hub",
            )
        return Decision(asked, known.location)
    mirror = next((one for one in known.mirrors or () if place.holds(one)), None)
    if asked is Way.PLACE and mirror is None:
        perhaps = ""
        if place.has(known.location):
            perhaps = f"{place.spoken} has its commits: if it is that hub under another name, there is nothing to do. "
        at = place.elsewhere(known.location) or known.location.hub
        second = f"To record {place.spoken} as a second place for the same files: {place.publish('--mirror')}. "
        raise VersionTaken(
            f"{who} is already published at another place: {known.location.model.name} on hub {at}",
            safe="Nothing was changed.",
            remedy=f"{perhaps}{'' if place.hub == FOLDER and _other_folder(known, place) else second}"
            f"To make it the place that people are sent to: {place.publish('--move')}",
        )
    way = Way.MIRROR if asked is Way.PLACE else asked
    if way is Way.MIRROR and mirror is None and (same_hub := next(filter(place.is_alias, known.places()), None)):
        other = "Name another hub with --hub"
        # A move would leave the hub where people are sent to now.
        instead = f". To record this name instead of the other one: {place.publish('--move')}"
        raise InputError(
            f"{place.spoken} and {same_hub.hub} are two names of one hub, where {who} is already published, so this is "
            "not a mirror",
            safe="Nothing was changed.",
            remedy=other + (instead if same_hub == known.location else ""),
        )
    pinned = known.location.model.manifest_sha256
    if way is Way.MIRROR and pinned and manifest_sha256 != pinned:
        namespace = known.location.model.name.partition("/")[0]
        raise VersionTaken(
            f"{who} is published with another card or provenance than this build, so this is not a mirror of it",
            safe="Nothing was changed.",
            remedy=f"Make the published files again with: {place.build('--namespace', namespace)}",
        )
    return Decision(way, mirror)


def _refuse_second_folder(who: str, known: Release, place: Place) -> None:
    """Raises InputError if the version is recorded in a folder already, which may be this one."""
    recorded = _other_folder(known, place)
    if recorded is None:
        return
    raise InputError(
        f"the catalog records every folder hub as `{FOLDER}`, without its path, and {who} is already published "
        f"in one{f' ({there})' if (there := place.elsewhere(recorded)) else ''}. So a second folder cannot be recorded "
        "as a mirror",
        safe="Nothing was changed.",
        remedy="For a second copy on this machine, copy the folder of the hub. For a mirror, name a hub with "
        "an address: --hub http://...",
    )


def _other_folder(known: Release, place: Place) -> Location | None:
    """The folder where the version is recorded, if that keeps this one from being a mirror. A mirror that this machine
    does not know does not: the catalog says the same of both."""
    recorded = next((one for one in known.places() if one.hub == FOLDER), None)
    if recorded is None or (recorded != known.location and (place.holds(recorded) or place.is_unknown(recorded))):
        return None
    return None if recorded.model.name != place.model and not place.elsewhere(recorded) else recorded


def is_out(known: Release | None, hub: str, access: str | None, asked: Way) -> bool:
    """Whether nothing is left to do for a version: it is published, for a mirror or a move on ``hub``, and its
    repositories are as open as the recipe wants them (None: as they are)."""
    if known is None:
        return False
    if asked is Way.PLACE:
        return access is None or recorded(access) == known.location.access
    there = known.places() if asked is Way.MIRROR else [known.location]
    return any(addresses.is_same_place(one.hub, hub) for one in there)


def same(one: Release, other: Release) -> bool:
    """Whether two records are of the same release, wherever it is."""
    return bare(one) == bare(other)
