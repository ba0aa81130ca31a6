"""From the place that the catalog records for a release, or that the settings name, to the hub that has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from catalog.release import Location, Model, Release
from zoo import addresses, catalogfile
from zoo.errors import InputError, ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub import Hub, Hubs, Refs
from zoo.hub.approved import is_named_by_user
from zoo.hub.interface import ABSENT_COMMIT, is_same_commit
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


@dataclass
class Here:
    """Which of some releases are at an opened hub, and under which name the catalog records it there.

    A hub is known by its name, by another address of the same server, and by its commits: ``folder`` and the address
    that serves it have the same. This is the one place that decides it. names: the hub's own in the catalog, without
    asking it; empty if the catalog does not know it at all. silence: why it did not answer, if it did not.
    """

    hub: Hub
    names: frozenset[str]
    beside: frozenset[str]
    silence: ZooError | OSError | None = None
    _known: dict[str, Refs] = field(default_factory=dict)

    def place(self, release: Release) -> Location | None:
        """Where a release is, as the catalog records it; None for a version that is not here.

        A hub that the catalog does not know at all is taken for another way to the place of the release.
        """
        if not self.names and len({place.model.commit for place in release.places()}) == 1:
            return release.location  # it is the same at every place
        there = [place for place in release.places() if place.hub in self.names]
        exact = [place for place in there if place.hub == self.hub.name]
        found = exact or there or list(filter(self.has, release.places()))
        return next(iter(found), None if self.names else release.location)

    def has(self, place: Location) -> bool:
        """Whether the hub has the commit of a place, under its tag or without any. Of one that does not answer nothing
        is known. A name that is recorded next to one of the hub's own is another hub's."""
        if place.hub in self.beside or self.silence:
            return False
        there, (namespace, _, name) = place.model, place.model.name.partition("/")
        try:
            repo = self.hub.repo("model", namespace, name)
            if there.name not in self._known:
                self._known[there.name] = repo.refs()
            refs = self._known[there.name]
            if there.tag in refs.tags or not refs.branches:
                return is_same_commit(refs.tags.get(there.tag, ""), there.commit)
            return repo.served(there.commit, MANIFEST).absent != ABSENT_COMMIT
        except (ZooError, OSError) as error:
            self.silence = error
            return False


def here(releases: Iterable[Release], hub: Hub, name: str = "") -> Here:
    """Which releases are at a hub. name: one more name of it, if that is known. Nothing is asked yet."""
    releases = list(releases)
    names = names_of(releases, hub.name) | ({name} if name else set())
    beside = {place.hub for one in releases if any(at.hub in names for at in one.places()) for place in one.places()}
    return Here(hub, names, frozenset(beside - names))


def names_of(releases: Iterable[Release], hub: str) -> frozenset[str]:
    """The recorded names of a hub that are its own, or another address of the same server."""
    recorded = {place.hub for one in releases for place in one.places()}
    return frozenset(one for one in recorded if addresses.is_same_place(one, hub))


def recorded_name(model: Model | None, hub: str) -> str:
    """The name that the catalog has for a hub of the model already, so that one server does not get two; else
    ``hub``."""
    names = names_of(model.releases if model else (), hub)
    return hub if hub in names else min(names, default=hub)


def named_place(model: Model, release: Release, settings: Settings, hubs: Hubs) -> Location:
    """Where a release is on the hub that --hub names, or its own place without that flag. Raises InputError if it was
    never put there."""
    given = settings.values["hub"]
    if not given.origin.startswith("flag"):
        return release.location
    found = here(model.releases, hubs.open(given.text)).place(release)
    if found is None:
        raise InputError(
            f"{model.name} {release.version} was never published at {given.text}",
            safe="Nothing was changed.",
            remedy=f"It is at {' and '.join(one.hub for one in release.places())}. Leave out --hub, or name its hub",
        )
    return found


def to_name(place: Location, settings: Settings) -> str:
    """The hub that the flag --hub of a command for a place must name; empty if the command goes there anyway."""
    is_named = settings.values["hub"].origin.startswith("flag") or place.hub in ("folder", settings.hub)
    return "" if is_named else place.hub


def as_here(model: Model, hub: Hub) -> Model:
    """The model with ``hub`` as the place of the versions that are there under another name. A hub that the catalog
    does not know at all is every one of which it has a commit. Raises ZooError if such a hub does not answer."""
    known = here(model.releases, hub)
    places = [place for one in model.releases for place in one.places()]
    aliases = known.names or {place.hub for place in places if known.has(place)}
    if known.silence and not known.names:
        raise known.silence

    def renamed(place: Location) -> Location:
        is_here = place.hub in aliases or (known.names and known.has(place))
        return dataclasses.replace(place, hub=hub.name) if is_here else place

    def here_too(one: Release) -> Release:
        mirrors = one.mirrors and tuple(map(renamed, one.mirrors))
        return dataclasses.replace(one, location=renamed(one.location), mirrors=mirrors)

    return dataclasses.replace(model, releases=tuple(map(here_too, model.releases)))


def hub_of(place: Location, settings: Settings, hubs: Hubs) -> Hub:
    """The recorded hub, or the one that --hub names. Raises InputError if the setting names another one."""
    there, given = place.hub, settings.values["hub"]
    if addresses.is_http(there) and not given.origin.startswith("flag"):
        return hubs.open(there)
    found = hubs.open(given.text)
    if found.name != there and not given.origin.startswith("flag"):
        if other := _another_way(place, found, settings, hubs):
            return other
        raise InputError(
            f"{place.model.name} was published to hub {there}, but the setting hub is {found.name}",
            remedy="Name the hub with --hub",
        )
    return found


def _another_way(place: Location, named: Hub, settings: Settings, hubs: Hubs) -> Hub | None:
    """The folder of this zoo that is the recorded folder hub, else the named hub if it serves it; None for neither."""
    return next((one for one in (*map(hubs.open, folder_hubs(settings)), named) if here([], one).has(place)), None)
