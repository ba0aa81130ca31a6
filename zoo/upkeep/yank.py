"""Yanking a version: the catalog first, then the banner on the hub's card. Running it again does what is missing.

The banner is a commit on the branch of the model repository that changes README.md and nothing else. Tags do not move,
so a pinned version still gives exactly the published bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog import yanks
from catalog.index import Catalog
from catalog.release import Location, Model, Release, YankEvent
from zoo import catalogfile, commandline
from zoo.errors import AGAIN, ZooError, remedy_for
from zoo.files.listing import FileRecord
from zoo.hub import BRANCH, FolderHub, Hub, HubConflict, Hubs, Repo, otherrepo
from zoo.hub.folders import Folders, is_there
from zoo.hub.located import hub_of, hubs_of, named_place
from zoo.hub.otherrepo import OtherRepository
from zoo.hub.spoken import FolderGone, of_hub, refuse_gone, spoken, to_name
from zoo.progress import unheard
from zoo.settings import Settings
from zoo.upkeep import banner, cardnow
from zoo.upkeep.cardnow import CARD

CARD_BYTES = 4 << 20
_TRIES = 3


@dataclass(frozen=True)
class Banner:
    """The result for the card. state: ``committed``, ``unchanged``, ``pending`` or ``lost`` (with why; lost: the folder
    of the hub no longer exists, or its repository is another zoo's) or ``left out``."""

    state: str
    repository: str
    commit: str | None = None
    why: str | None = None


@dataclass(frozen=True)
class Yanked:
    """The model as the catalog has it now, whether the catalog changed, and the card; ``mirrors`` by their hub.

    elsewhere: hubs that also serve the version, and whose cards were left as they are because another hub was named."""

    model: Model
    changed: bool
    banner: Banner
    pointing_here: tuple[str, ...] = ()
    mirrors: tuple[tuple[str, Banner], ...] = ()
    elsewhere: tuple[str, ...] = ()


def yank(name: str, event: YankEvent, *, settings: Settings, card: bool = True) -> Yanked:
    """Record that a version must not be used, also on its card."""

    def step(catalog: Catalog) -> Catalog:
        return yanks.yank(catalog, name, event)

    return _walk(name, event.version, step, settings, card)


def unyank(
    name: str, version: str, *, reason: str, date: str, settings: Settings, card: bool = True
) -> Yanked:
    """Record that a version may be used again, and remove the banner."""

    def step(catalog: Catalog) -> Catalog:
        return yanks.unyank(catalog, name, version, date=date, reason=reason)

    return _walk(name, version, step, settings, card)


def _walk(name: str, version: str, step: catalogfile.Step, settings: Settings, card: bool) -> Yanked:
    hubs = hubs_of(settings)
    place = _place_before(name, version, settings, hubs) if card else None
    catalog, changed = catalogfile.change(settings, step)
    model = yanks.find(catalog, name, version)
    release = next(one for one in model.releases if one.version == version)
    left_out = Banner("left out", release.location.model.name)
    done = _at(model, release, place, settings, hubs) if place else left_out
    # A hub that was named is the only one that is written to.
    is_named = settings.values["hub"].origin.startswith("flag")
    others = [one for one in release.places() if one != place] if card else []
    elsewhere = tuple(spoken(one, settings, mirror=one != release.location) for one in others) if is_named else ()
    mirrors = [
        (spoken(one, settings, mirror=True), _at(model, release, one, settings, hubs))
        for one in (() if is_named else others)
    ]
    return Yanked(model, changed, done, yanks.pointing_at(catalog, f"{name}@{version}"), tuple(mirrors), elsewhere)


def _place_before(name: str, version: str, settings: Settings, hubs: Hubs) -> Location | None:
    """The place whose card is changed: the version's own, or the one on the hub that --hub names. None for a version
    that is not in the catalog.

    Raises OlderCatalog before anything is written, InputError if the version was never put on that hub. Of a hub that
    does not answer now nothing is known.
    """
    model = catalogfile.read_model(settings, name)
    release = model.release(version) if model else None
    if model is None or release is None:
        return None
    place = named_place(model, release, settings, hubs)
    try:
        hub = hub_of(place, settings, hubs, release)
        there = cardnow.at_place(model, place, hub, settings)
        repo = repo_of(dataclasses.replace(release, location=place), settings, hub)
        head = repo.refs().branches.get(BRANCH)
        card = read_card(repo, head) if head else ""
    except (ZooError, OSError):
        return place
    cardnow.refuse_newer(card, repo, there, settings, always=True)
    return place


def _at(model: Model, release: Release, place: Location, settings: Settings, hubs: Hubs) -> Banner:
    """Update the card at a place; ``pending`` if that fails now. The card itself shows a watch what is missing."""
    try:
        there = dataclasses.replace(release, location=place)
        return _commit_due(model, there, settings, opened(model.name, place, release, settings, hubs))
    except (ZooError, OSError) as error:
        return left(place.model.name, error)


def opened(name: str, place: Location, release: Release, settings: Settings, hubs: Hubs) -> Hub:
    """The hub of a place of a release of the model ``name``. Raises FolderGone for a mirror whose folder is gone, with
    the command that makes it again, ZooError for a release whose folder is gone and no longer the hub of the settings,
    and what ``hub_of`` raises."""
    hub = hub_of(place, settings, hubs, release)
    if place != release.location:
        named = to_name(place, settings, hub, mirror=True)
        refuse_gone(hub, commandline.line(settings, "publish", name, "--repair", hub=named))
    elif isinstance(hub, FolderHub) and not is_there(hub) and not Folders(settings).is_own(hub):
        # The setting names another hub, so "check the setting hub" would lead astray.
        raise ZooError(
            f"{place.model.name} was published to hub {place.hub}, and {Folders(settings).text(hub)} does not exist",
            remedy="If the folder is elsewhere, name it with --hub. If it was deleted, restore it with: "
            f"{commandline.line(settings, 'publish', name, '--repair', hub=Folders(settings).text(hub))}",
        )
    return hub


def left(repository: str, error: ZooError | OSError) -> Banner:
    """A card that could not be changed."""
    is_lost = isinstance(error, FolderGone | OtherRepository)
    return Banner("lost" if is_lost else "pending", repository, why=cause(error))


def _commit_due(model: Model, release: Release, settings: Settings, hub: Hub, only: bool = False) -> Banner:
    """Commit the card as it should be at the release's place. only: not for the record of events alone, which people do
    not see."""
    repo, place = repo_of(release, settings, hub), release.location.model.name
    otherrepo.refuse(repo, release.location.model, model, settings.releases, of_hub(hub, settings))
    there = cardnow.at_place(model, release.location, hub, settings)

    def change(card: str) -> str:
        after = cardnow.due(card, repo, place, there, settings)
        same = only and banner.take_off(after) == banner.take_off(card) and banner.shows(card, there)
        return card if same else after

    return commit_card(repo, place, change, _message(there))


def card_at(model: Model, release: Release, hub: Hub, settings: Settings) -> Banner:
    """Bring the card at the release's place, which is on ``hub``, up to date with the catalog, if it has to differ from
    a released one. A card that the hub cannot show now is ``pending``."""
    if not (model.yanks or model.corrections):
        return Banner("unchanged", release.location.model.name)
    try:
        return _commit_due(model, release, settings, hub, only=True)
    except (ZooError, OSError) as error:
        return Banner("pending", release.location.model.name, why=cause(error))


def data_card_at(model: Model, release: Release, hub: Hub, settings: Settings) -> Banner | None:
    """The same for the card of the release's dataset, which only corrections change; None if it has none."""
    there = release.location.dataset
    if there is None or not model.corrected("dataset"):
        return None
    try:
        repo = repo_of(release, settings, hub, "dataset")
        otherrepo.refuse(repo, there, model, settings.releases, of_hub(hub, settings))
        return commit_card(
            repo, there.name, lambda card: cardnow.due_of_data(card, repo, there.name, model, settings),
            f"{model.name}: corrected card",
        )  # fmt: skip
    except (ZooError, OSError) as error:
        return Banner("pending", there.name, why=cause(error))


def cause(error: ZooError | OSError) -> str:
    """Why a card could not be changed, without the advice to run the command again: who reports it gives that once."""
    if isinstance(error, ZooError):
        error.again = None
        return str(error)
    at = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{at}. {remedy_for(error)}."


def repo_of(release: Release, settings: Settings, hub: Hub | None = None, kind: str = "model") -> Repo:
    """The model repository of a release on its hub, or on the opened one; or the one of its dataset, if it has one."""
    there = release.location.dataset if kind == "dataset" else release.location.model
    assert there
    namespace, _, name = there.name.partition("/")
    return (hub or hub_of(release.location, settings, hubs_of(settings))).repo(kind, namespace, name)


def commit_card(repo: Repo, place: str, change: Callable[[str], str], message: str) -> Banner:
    """One commit on the branch that replaces the card by ``change(card)`` and nothing else; again on a head that moved.

    Raises ZooError, HubConflict, and what ``change`` raises.
    """
    for _ in range(_TRIES):
        head = repo.refs().branches.get(BRANCH)
        if head is None:
            raise ZooError(f"the hub has no repository {place}", remedy="Check the setting hub")
        before = read_card(repo, head)
        after = change(before)
        if after == before:
            return Banner("unchanged", place, head)
        raw = after.encode()
        record = FileRecord(CARD, len(raw), hashlib.sha256(raw).hexdigest())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / CARD
            path.write_bytes(raw)
            repo.put(path, record.sha256, unheard)
            try:
                return Banner("committed", place, repo.commit(head, [record], [], message))
            except HubConflict:
                continue
    raise HubConflict(
        f"the branch of {place} moved {_TRIES} times while its card was changed",
        again=AGAIN,
    )


def read_card(repo: Repo, head: str) -> str:
    """The card at a commit. Raises ZooError if it is not a card."""
    with repo.open(head, CARD) as stream:
        raw = stream.read(CARD_BYTES + 1)
    try:
        if len(raw) > CARD_BYTES:
            raise ValueError
        return raw.decode("utf-8")
    except ValueError:
        raise ZooError(f"{CARD} on the hub is not a model card") from None


def _message(model: Model) -> str:
    names = ", ".join(event.version for event in yanks.active(model))
    if names:
        return f"{model.name}: withdrawn {names}"
    return banner.title(model) or f"{model.name}: corrected card"
