"""From the place that the catalog records for a release, or that the settings name, to the hub that has it."""

from __future__ import annotations

import dataclasses

from catalog.index import Catalog
from catalog.release import Location, Model, Release
from zoo import addresses, catalogfile
from zoo.errors import InputError
from zoo.hub import Hub, Hubs
from zoo.hub.approved import is_named_by_user
from zoo.progress import Reporter
from zoo.settings import CATALOG, DEFAULT_HUB, MARKER, Settings, load


def hub_of_settings(settings: Settings, *, quick: bool = False) -> Hub:
    """The hub of the settings. The user's token is sent there if the user named or approved it. quick: see ``Hubs``.
    Raises InputError."""
    return hubs_of(settings, quick=quick).open(settings.hub)


def hubs_of(settings: Settings, *, quick: bool = False) -> Hubs:
    """The hubs of a catalog of this zoo. Make it once for a command. quick: see ``Hubs``."""
    named = "" if settings.values["hub"].origin == CATALOG else settings.hub
    return Hubs(settings.root, named, by_user=is_named_by_user(settings), quick=quick, in_zoo=True)


def folder_hubs(settings: Settings) -> list[str]:
    """Folders that a folder hub of the catalog may be: of the settings, of the settings file if a flag or the catalog
    named another hub, and the default one. Only folders that exist."""
    of_file = load(settings.root, {}, {}).hub
    named = dict.fromkeys((settings.hub, of_file, DEFAULT_HUB))
    paths = [one for one in named if not addresses.is_http(one)]
    return [one for one in paths if (settings.root / one).is_dir()]


def at_home(name: str, version: str, settings: Settings, report: Reporter) -> Settings:
    """The settings for publishing a version of a model where the catalog says that it is, else where its newest one is.

    This is for a model that moved from the folder hub of the settings to a hub over HTTP. A hub that the user named by
    a flag or a variable stays, and so does one over HTTP. It gets the user's token only as ``Hubs`` says. Raises
    InputError for a catalog that is not valid.
    """
    given = settings.values["hub"]
    if given.origin.startswith(("flag", "environment", CATALOG)) or addresses.is_http(given.text):
        return settings
    model = catalogfile.read_model(settings, name)
    if model is None or not model.releases:
        return settings
    place = (model.release(version) or model.preferred()[0]).location
    if place.hub == "folder":
        return settings
    report.say(
        f"the catalog says that {name} is at {place.hub}, so this is done there, not in the folder {given.text}. For "
        f'new models too, write in {MARKER}: hub = "{place.hub}"'
    )
    return settings.with_place(place.hub, place.model.name.partition("/")[0])


def place_at(catalog: Catalog, release: Release, hub: str) -> Location | None:
    """Where a release is on the hub that the user named; None for a version that was never put there.

    A hub that the catalog does not know at all is taken for another way to the place of the release.
    """
    there = next((place for place in release.places() if place.hub == hub), None)
    everything = (place.hub for model in catalog.models for one in model.releases for place in one.places())
    return there or (None if hub in everything else release.location)


def to_name(place: Location, settings: Settings) -> str:
    """The hub that the flag --hub of a command for a place must name; empty if the command goes there anyway."""
    is_named = settings.values["hub"].origin.startswith("flag") or place.hub in ("folder", settings.hub)
    return "" if is_named else place.hub


def as_here(model: Model, hub: Hub) -> Model:
    """The model with ``hub`` as the place of the versions that the catalog records under another name of it, such as
    the address of a served folder: it has a recorded commit under its tag. Else unchanged. Raises ZooError if the hub
    does not answer."""
    if any(place.hub == hub.name for one in model.releases for place in one.places()):
        return model
    aliases = {one.location.hub for one in model.releases if _has(one, hub)}
    here = (dataclasses.replace(one.location, hub=hub.name) for one in model.releases)
    pairs = zip(model.releases, here, strict=True)
    releases = (dataclasses.replace(one, location=at) if one.location.hub in aliases else one for one, at in pairs)
    return dataclasses.replace(model, releases=tuple(releases))


def _has(release: Release, hub: Hub) -> bool:
    there = release.location.model
    namespace, _, name = there.name.partition("/")
    tagged = hub.repo("model", namespace, name).refs().tags.get(there.tag, "")
    return bool(tagged) and (tagged.startswith(there.commit) or there.commit.startswith(tagged))


def hub_of(place: Location, settings: Settings, hubs: Hubs) -> Hub:
    """The recorded hub, or the one that --hub names. Raises InputError if the setting names another one."""
    there, given = place.hub, settings.values["hub"]
    if addresses.is_http(there) and not given.origin.startswith("flag"):
        return hubs.open(there)
    found = hubs.open(given.text)
    if found.name != there and not given.origin.startswith("flag"):
        raise InputError(
            f"{place.model.name} was published to hub {there}, but the setting hub is {found.name}",
            remedy="Name the hub with --hub",
        )
    return found
