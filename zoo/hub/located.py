"""From the place that the catalog records for a release, or that the settings name, to the hub that has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from catalog.release import Location, Model, Release
from zoo import addresses, catalogfile, commandline
from zoo.errors import InputError, ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub import Hub, Hubs, Refs
from zoo.hub.approved import is_named_by_user
from zoo.hub.folder import FolderHub
from zoo.hub.folders import FOLDER, UNKNOWN, Folders, is_there
from zoo.hub.interface import ABSENT_COMMIT, is_same_commit
from zoo.hub.onehub import is_one
from zoo.hub.spoken import listed
from zoo.progress import Reporter
from zoo.settings import CATALOG, MARKER, Settings


def hub_of_settings(settings: Settings, *, quick: bool = False) -> Hub:
    """The hub of the settings. The user's token is sent there if the user named or approved it. quick: see ``Hubs``.
    Raises InputError."""
    return hubs_of(settings, quick=quick).open(settings.hub)


def hubs_of(settings: Settings, *, quick: bool = False) -> Hubs:
    """The hubs of a catalog of this zoo. Make it once for a command. quick: see ``Hubs``."""
    named = "" if settings.values["hub"].origin == CATALOG else settings.hub
    return Hubs(settings.root, named, by_user=is_named_by_user(settings), quick=quick, in_zoo=True)


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
    if place.hub == FOLDER:
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
    asking it; empty if the catalog does not know it at all. folders: tell which folder ``folder`` is; without them it
    is the hub's. silence: why it did not answer, if it did not.
    """

    hub: Hub
    names: frozenset[str]
    beside: frozenset[str]
    folders: Folders | None = None
    silence: ZooError | OSError | None = None
    _known: dict[str, Refs] = field(default_factory=dict)

    def place(self, release: Release) -> Location | None:
        """Where a release is, as the catalog records it; None for a version that is not here.

        A hub that the catalog does not know at all is taken for another way to the place of the release.
        """
        if not self.names and len({place.model.commit for place in release.places()}) == 1:
            return release.location  # it is the same at every place
        there = [place for place in release.places() if self.is_named(place, release)]
        exact = [place for place in there if place.hub == self.hub.name]
        found = exact or there or list(filter(self.has, release.places()))
        return next(iter(found), None if self.names else release.location)

    def is_named(self, place: Location, release: Release) -> bool:
        """Whether a place of a release has one of the hub's names, and is not in another folder."""
        is_mirror = place != release.location
        return place.hub in self.names and not (
            self.folders and self.folders.is_elsewhere(place, self.hub, mirror=is_mirror)
        )

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


def here(releases: Iterable[Release], hub: Hub, name: str = "", *, settings: Settings | None = None) -> Here:
    """Which releases are at a hub. name: one more name of it, if that is known. settings: of the zoo whose catalog has
    them; None for somebody else's. Nothing is asked yet."""
    releases = list(releases)
    names = names_of(releases, hub.name) | ({name} if name else set())
    beside = {place.hub for one in releases if any(at.hub in names for at in one.places()) for place in one.places()}
    return Here(hub, names, frozenset(beside - names), Folders(settings) if settings else None)


def is_recorded(releases: Iterable[Release], hub: Hub, settings: Settings) -> bool:
    """Whether the catalog records a hub for one of these releases. An address that it does not know may be that of any
    server, also of a copy."""
    known = here(releases, hub, settings=settings)
    return any(known.is_named(place, one) for one in releases for place in one.places())


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
    hub = hubs.open(given.text)
    known = here(model.releases, hub, settings=settings)
    first = known.place(release)
    # What an unknown hub has may be at any place of the release.
    places = [first, *(one for one in release.places() if one != first and not known.names)]
    found = next((one for one in places if one and _is_at(one, known, release, settings)), None)
    if found is None:
        what = "was never published at" if first is None else "is recorded at another place than"
        # A hub that no longer answers under its recorded address may be this one.
        perhaps = any(known.has(one) and is_alias(one, hub, settings) is None for one in release.places())
        move = commandline.line(settings, "publish", model.name, "--move")
        moved = f". If {given.text} is that hub under another address, record it with: {move}" if perhaps else ""
        raise InputError(
            f"{model.name} {release.version} {what} {given.text}",
            safe="Nothing was changed.",
            remedy=f"It is at {listed(release, settings, ' and ')}. Leave out --hub, or name its hub{moved}",
        )
    Folders(settings).note(found, hub)
    return found


def note_named(place: Location, hub: Hub, release: Release, settings: Settings) -> None:
    """Note that a place of a release is in the folder that --hub names, unless that is the hub of another place, or may
    be, or a copy of the folder that is noted."""
    folders = Folders(settings)
    if not isinstance(hub, FolderHub) or folders.is_elsewhere(place, hub, mirror=place != release.location):
        return
    if _is_taken(hub, place, release, settings) is False:
        folders.note(place, hub)


def _is_at(place: Location, known: Here, release: Release, settings: Settings) -> bool:
    """Whether the hub is the one of a place, and no other one with the same commits. Where the only place of a release
    is a folder that this machine does not know, its commits have to do."""
    if known.is_named(place, release):
        return not _is_taken(known.hub, place, release, settings, only_read=False)
    if place.hub == FOLDER and len(release.places()) == 1:
        holder = Folders(settings).holder(place, mirror=False)
        if holder is None or not is_there(holder):
            return known.has(place)
    # Of a hub that does not answer nothing is known, so nothing is refused.
    return bool(is_alias(place, known.hub, settings)) if known.has(place) else known.silence is not None


def _is_taken(
    hub: Hub, place: Location, release: Release | None, settings: Settings, *, only_read: bool = True
) -> bool | None:
    """Whether a hub that has the name of a place, or its commit, is the one of another place of the release. None and
    only_read: as for ``is_alias``."""
    if release is None or (isinstance(hub, FolderHub) and Folders(settings).is_noted_in(place, hub)):
        return False
    others = [one for one in release.places() if one.hub != place.hub]
    if any(addresses.is_same_place(one.hub, hub.name) for one in others):
        return True
    if isinstance(hub, FolderHub):
        told = [is_alias(one, hub, settings, only_read=only_read) for one in others]
        return True if True in told else None if None in told else False
    # Two addresses can only be told apart by writing to one of them, so what may be the other hub is taken for it.
    return place.hub == FOLDER and any(here([], hub).has(one) for one in others)


def is_alias(place: Location, hub: Hub, settings: Settings, *, only_read: bool = False) -> bool | None:
    """Whether the hub of a place is ``hub`` under another name: a folder and an address that serves it, or two such
    addresses. None if that is not known. only_read: nothing is written to a hub with an address, for commands that
    change nothing."""
    if addresses.is_same_place(place.hub, hub.name):
        return False
    folders = Folders(settings)
    recorded: Hub | None
    if place.hub == FOLDER:
        recorded = folders.noted(place) or folders.holder(place, mirror=False)
    else:
        recorded = hubs_of(settings, quick=True).open(place.hub)
    if recorded is None:
        return False
    if any(isinstance(one, FolderHub) and not is_there(one) for one in (recorded, hub)):
        return False
    return is_one(place, recorded, hub, only_read=only_read)


def _is_copy(place: Location, hub: Hub, settings: Settings) -> bool:
    """Whether a hub with the commit of a place is known to be another one than the recorded."""
    if place.hub == FOLDER:
        folders = Folders(settings)
        recorded = folders.noted(place) or folders.holder(place, mirror=False)
        if recorded is None or not is_there(recorded):
            return False
    return is_alias(place, hub, settings) is False


def as_here(model: Model, hub: Hub, settings: Settings) -> Model:
    """The model with ``hub`` as the place of the versions that are there under another name. A hub that the catalog
    does not know at all is every one of which it has a commit, unless that is known to be another one, of which it is a
    copy. A place in another folder has that as its hub. Raises ZooError if such a hub does not answer."""
    known, folders = here(model.releases, hub, settings=settings), Folders(settings)
    places = [place for one in model.releases for place in one.places()]
    held = {} if known.names else {place.hub: place for place in places if known.has(place)}
    aliases = known.names or {name for name, place in held.items() if not _is_copy(place, hub, settings)}
    if known.silence and not known.names:
        raise known.silence

    def renamed(place: Location, one: Release) -> Location:
        if place.hub in known.names and not known.is_named(place, one):
            holder = folders.holder(place, mirror=place != one.location)
            return dataclasses.replace(place, hub=folders.text(holder) if holder else UNKNOWN)
        is_here = place.hub in aliases or (known.names and known.has(place))
        return dataclasses.replace(place, hub=hub.name) if is_here else place

    def here_too(one: Release) -> Release:
        mirrors = one.mirrors and tuple(renamed(place, one) for place in one.mirrors)
        return dataclasses.replace(one, location=renamed(one.location, one), mirrors=mirrors)

    return dataclasses.replace(model, releases=tuple(map(here_too, model.releases)))


def hub_of(place: Location, settings: Settings, hubs: Hubs, release: Release | None = None) -> Hub:
    """The recorded hub, or the one that --hub names. release: the one whose place it is, as the catalog records it: the
    hub of another of its places is never taken for this one. Raises InputError if the setting names another hub, or for
    a place in a folder that this machine does not know."""
    there, given, mirror = place.hub, settings.values["hub"], bool(release and place != release.location)
    if given.origin.startswith("flag"):
        return hubs.open(given.text)
    if addresses.is_http(there):
        return hubs.open(there)
    # A release is recorded in one folder at most, under two names in it.
    is_apart = mirror and release is not None and release.location.hub != FOLDER
    holder = Folders(settings).holder(place, mirror=is_apart) if there == FOLDER else None
    if holder and _is_taken(holder, place, release, settings):
        holder = None
    if holder and is_there(holder):
        return holder
    found = hubs.open(given.text)
    is_taken = mirror or _is_taken(found, place, release, settings)
    if not is_taken and not isinstance(found, FolderHub) and here([], found).has(place):
        return found
    if holder:
        return holder  # it was there, and is gone
    if not is_taken and found.name == there:
        return found
    if is_taken:
        what = f"the mirror of {place.model.name}" if mirror else place.model.name
        raise InputError(
            f"{what} is in a folder that is not known on this machine: the catalog does not record paths",
            remedy=f"Name it with: --hub {UNKNOWN}, where {UNKNOWN} is the path of that hub's folder",
        )
    raise InputError(
        f"{place.model.name} was published to hub {there}, but the setting hub is {found.name}",
        remedy="Name the hub with --hub",
    )
