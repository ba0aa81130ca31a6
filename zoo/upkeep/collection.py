"""The zoo's collection on the hub: its public models and datasets, in the order of the catalog. Other items stay."""

from __future__ import annotations

from collections.abc import Collection as Collection_
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from catalog import yanks
from catalog.access import PRIVATE
from catalog.index import Catalog
from catalog.release import Location, Model
from catalog.words import shortened
from zoo import addresses, catalogfile, commandline
from zoo.errors import InputError, ZooError
from zoo.hub import Hub
from zoo.hub.folders import FOLDER
from zoo.hub.interface import Collection, Collections, Entry
from zoo.hub.located import hubs_of, names_of
from zoo.progress import Reporter
from zoo.settings import Settings

DESCRIPTION = "Every model of this zoo, in the order of its catalog."
"""Of a new collection. It also finds the collection again after its title was changed in the settings."""

NOTE_CHARACTERS = 500
"""The longest note that the Hub takes."""


@dataclass(frozen=True)
class Synced:
    """What was changed, in sentences; others: items that the catalog does not know."""

    slug: str
    entries: int
    others: int
    changes: list[str] = field(default_factory=list)


Ids = Collection_[tuple[str, str]]
"""Kinds and names of repositories."""


def sync(settings: Settings, hub: Hub, *, dry_run: bool = False, gone: Ids = ()) -> Synced:
    """Make the collection what the catalog says. The same call again changes nothing, and finishes what was stopped.

    gone: repositories that the catalog had on this hub until now.
    Raises InputError without a title or for a hub that has no collections, ZooError if the hub does not answer.
    """
    title = settings.collection
    if not title:
        raise InputError(
            "the zoo's collection has no title",
            safe="Nothing was changed.",
            remedy='Write it into zoo.toml, for example: collection = "Small models of the north"',
        )
    shelf = hub.collections(settings.namespace)
    if shelf is None:
        raise InputError(
            "a folder hub has no collections",
            safe="Nothing was changed.",
            remedy="Name a hub with a web page: --hub https://huggingface.co",
        )
    catalog = catalogfile.read(settings)
    # A hub that a version left still has its commits, so these say nothing here.
    names = names_of([one for model in catalog.models for one in model.releases], hub.name)
    wanted, known = list(wished(catalog, names)), {*known_in(catalog, names), *gone}
    there = _find(shelf.find(), title)
    done = Synced(there.slug if there else "", len(wanted), 0)
    if there is None:
        done.changes.append(f"make the collection {title!r}")
    elif there.title != title:
        done.changes.append(f"change its title from {there.title!r} to {title!r}")
    steps = plan(there.entries if there else (), wanted, known)
    done.changes.extend(step.sentence for step in steps)
    others = sum((one.kind, one.name) not in known for one in (there.entries if there else ()))
    if not dry_run:
        there = _carry_out(shelf, there, title, steps)
    return Synced(there.slug if there else "", len(wanted), others, done.changes)


def keep(settings: Settings, hub: Hub, report: Reporter) -> None:
    """Bring the collection up to date, if the zoo has one. A failure is only reported: whatever was
    published before stays."""
    if not settings.collection or hub.collections(settings.namespace) is None:
        return
    try:
        done = sync(settings, hub)
    except (ZooError, OSError) as error:
        if isinstance(error, ZooError):
            error.again = None
        again = commandline.line(settings, "collection")
        report.warn(f"the collection is not up to date: {error} To try again: {again}")
        return
    if done.changes:
        report.say(f"the collection {done.slug} is up to date")


def leave(left: Location, hub: Hub, settings: Settings, report: Reporter) -> None:
    """Take a version that moved to ``hub`` out of the collection of the hub over HTTP that it left. A failure is only
    reported."""
    if left.hub == FOLDER or addresses.is_same_place(left.hub, hub.name) or not settings.collection:
        return
    gone = [(kind, one.name) for kind, one in (("model", left.model), ("dataset", left.dataset)) if one]
    named_there = settings.with_namespace(left.model.name.partition("/")[0])
    try:
        sync(named_there, hubs_of(settings).open(left.hub), gone=gone)
    except (ZooError, OSError) as error:
        names = " and ".join(name for _, name in gone)
        report.warn(f"the collection on {left.hub} may still list {names}. Take it out there: {error}")


def stale(settings: Settings, hub: Hub) -> Synced | None:
    """What the collection lacks to be what the catalog says; None if it lacks nothing, or if the zoo keeps none there.
    Raises ZooError if the hub does not answer."""
    if not settings.collection or hub.collections(settings.namespace) is None:
        return None
    found = sync(settings, hub, dry_run=True)
    return found if found.changes else None


@dataclass(frozen=True)
class Step:
    """One change of an item. action: add, remove, note or move; position: where it goes."""

    action: str
    entry: Entry
    position: int = 0

    @property
    def sentence(self) -> str:
        """The change in words."""
        words = {"add": "add", "remove": "take out", "note": "change the note of", "move": "move"}[self.action]
        return f"{words} {self.entry.kind} {self.entry.name}" + (
            f" to position {self.position + 1}" if self.action == "move" else ""
        )


def plan(there: Iterable[Entry], wanted: Iterable[Entry], known: set[tuple[str, str]]) -> list[Step]:
    """The changes that bring the wanted items, in their order, before all others. Pure.

    known: kind and name of every repository of the catalog; one that is not wanted is taken out, and items that the
    catalog does not know stay.
    """
    now, wanted = list(there), list(wanted)
    ids = {_id(one) for one in wanted}
    steps = [Step("remove", one) for one in now if _id(one) in known - ids]
    now = [one for one in now if _id(one) not in known - ids]
    for entry in wanted:
        found = next((one for one in now if _id(one) == _id(entry)), None)
        if found is None:
            steps.append(Step("add", entry))
            now.append(entry)
        elif found.note != entry.note:
            steps.append(Step("note", entry))
    for position, entry in enumerate(wanted):
        if _id(now[position]) != _id(entry):
            one = next(item for item in now if _id(item) == _id(entry))
            now.remove(one)
            now.insert(position, one)
            steps.append(Step("move", entry, position))
    return steps


def wished(catalog: Catalog, hub: Collection_[str]) -> Iterator[Entry]:
    """The items of the collection: each model that people may read on this hub, then its dataset. At a mirror it is the
    newest version there that counts. hub: its names in the catalog."""
    for model in catalog.models:
        there = ((one.version, place) for one in model.preferred() for place in one.places() if place.hub in hub)
        version, place = next(there, ("", None))
        if place is None or place.access == PRIVATE:
            continue
        yield Entry("model", place.model.name, note_of(model, version))
        if place.dataset:
            said = shortened(f"The data that {model.name} was trained with.", NOTE_CHARACTERS)
            yield Entry("dataset", place.dataset.name, said)


def known_in(catalog: Catalog, hub: Collection_[str]) -> Iterator[tuple[str, str]]:
    """Kind and name of every repository of the catalog on this hub, which has these names in it."""
    for model in catalog.models:
        for release in model.releases:
            for place in release.places():
                if place.hub in hub:
                    yield "model", place.model.name
                    if place.dataset:
                        yield "dataset", place.dataset.name


def note_of(model: Model, version: str) -> str:
    """What the collection says of a model: its summary, and whether this version is withdrawn."""
    withdrawn = [event for event in yanks.active(model) if event.version == version]
    said = [f"Version {one.version} was withdrawn: {one.reason}" for one in withdrawn]
    return shortened(" ".join([*said, " ".join(model.summary.split())]), NOTE_CHARACTERS)


def _find(found: list[Collection], title: str) -> Collection | None:
    by_title = next((one for one in found if one.title == title), None)
    return by_title or next((one for one in found if one.description == DESCRIPTION), None)


def _carry_out(shelf: Collections, there: Collection | None, title: str, steps: list[Step]) -> Collection:
    collection = there or shelf.create(title, DESCRIPTION)
    if collection.title != title:
        shelf.rename(collection.slug, title)
    keys = {_id(one): one.key for one in collection.entries}
    for step in steps:
        name = _id(step.entry)
        if step.action == "add":
            shelf.add(collection.slug, step.entry)
        elif step.action == "remove":
            shelf.remove(collection.slug, keys[name])
        else:
            if name not in keys:
                (now,) = (one for one in shelf.find() if one.slug == collection.slug)
                keys |= {_id(one): one.key for one in now.entries}
            if step.action == "note":
                shelf.note(collection.slug, keys[name], step.entry.note)
            else:
                shelf.move(collection.slug, keys[name], step.position)
    return collection


def _id(entry: Entry) -> tuple[str, str]:
    return entry.kind, entry.name
