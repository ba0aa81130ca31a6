"""How the hub of a recorded place is named on this machine: for people, and in the commands that they are given."""

from __future__ import annotations

from collections.abc import Callable

from catalog import shell
from catalog.release import Location, Release
from zoo.errors import ZooError
from zoo.hub import Hub
from zoo.hub.folder import FolderHub
from zoo.hub.folders import FOLDER, UNKNOWN, Folders, is_there
from zoo.settings import Settings


def to_name(place: Location, settings: Settings, hub: Hub | None = None, *, mirror: bool = False) -> str:
    """The hub that the flag --hub of a command for a place must name; empty if the command goes there anyway. hub: that
    of the place, if it is opened. mirror: the place is not the release's own."""
    if settings.values["hub"].origin.startswith("flag") or place.hub == settings.hub:
        return ""
    if place.hub != FOLDER:
        return place.hub
    folders = Folders(settings)
    hub = hub or folders.holder(place, mirror=mirror)
    if not isinstance(hub, FolderHub):
        return UNKNOWN if mirror else ""
    return "" if folders.is_own(hub) and not mirror else folders.text(hub)


class FolderGone(ZooError):
    """The folder of a hub no longer exists."""


def refuse_gone(hub: Hub, repair: str) -> None:
    """Raises FolderGone for a folder that does not exist. repair: the command that makes it again."""
    if isinstance(hub, FolderHub) and not is_there(hub):
        raise FolderGone(
            "the folder hub does not exist",
            remedy=f"If it was deleted, restore it with: {repair}. If it is elsewhere, name it with --hub",
        )


A_FOLDER = "a folder"
"""A recorded folder that this machine does not know."""


def spoken(place: Location, settings: Settings, *, mirror: bool) -> str:
    """The hub of a place for people who read it on this machine, and for the flag --hub: of a folder its path. A_FOLDER
    if that is not known. mirror: the place is not the release's own."""
    if place.hub != FOLDER:
        return place.hub
    folders = Folders(settings)
    holder = folders.holder(place, mirror=mirror)
    return folders.text(holder) if holder else A_FOLDER


def of_hub(hub: Hub, settings: Settings) -> str:
    """An opened hub for people who read it on this machine: of a folder its path, as the flag --hub takes it."""
    return Folders(settings).text(hub) if isinstance(hub, FolderHub) else hub.name


def listed(release: Release, settings: Settings, joined_by: str) -> str:
    """The hubs of the places of a release, each as the flag --hub takes it if it is known."""
    hubs = [spoken(place, settings, mirror=place != release.location) for place in release.places()]
    return joined_by.join(dict.fromkeys(as_argument(one) for one in hubs))


def as_argument(hub: str) -> str:
    """A hub that ``spoken`` gave, to be pasted into a command."""
    return hub if hub == A_FOLDER else shell.argument(hub)


def elsewhere(release: Release | None, hub: Hub, settings: Settings) -> Callable[[Location], str]:
    """Gives the folder of a place of the release that is recorded in another folder than ``hub``, else empty text."""
    folders = Folders(settings)

    def folder(place: Location) -> str:
        is_mirror = release is not None and place != release.location
        if not folders.is_elsewhere(place, hub, mirror=is_mirror):
            return ""
        holder = folders.holder(place, mirror=is_mirror)
        return folders.text(holder) if holder else "a folder that is not known on this machine"

    return folder
