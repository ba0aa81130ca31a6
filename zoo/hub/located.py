"""From the place that the catalog records for a release, or that the settings name, to the hub that has it."""

from __future__ import annotations

from catalog.release import Location
from zoo.errors import InputError
from zoo.hub import Hub, Hubs, connect
from zoo.hub.approved import is_named_by_user
from zoo.settings import Settings


def hub_of_settings(settings: Settings) -> Hub:
    """The hub of the settings. The user's token is sent there if the user named or approved it. Raises InputError."""
    return connect(settings.hub, settings.root, by_user=is_named_by_user(settings))


def hubs_of(settings: Settings) -> Hubs:
    """The hubs of a catalog of this zoo. Make it once for a command."""
    return Hubs(settings.root, settings.hub, by_user=is_named_by_user(settings))


def hub_of(place: Location, settings: Settings, hubs: Hubs) -> Hub:
    """The recorded hub, or the one that --hub names. Raises InputError if the setting names another one."""
    there, given = place.hub, settings.values["hub"]
    if there.startswith(("http://", "https://")) and not given.origin.startswith("flag"):
        return hubs.open(there)
    found = hubs.open(given.text)
    if found.name != there and not given.origin.startswith("flag"):
        raise InputError(
            f"{place.model.name} was published to hub {there}, but the setting hub is {found.name}",
            remedy="Name the hub with --hub",
        )
    return found
