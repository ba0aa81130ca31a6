"""Yanking a version: the catalog first, then the banner on the hub's card. Running it again does what is missing.

The banner is a commit on the branch of the model repository that changes README.md and nothing else. Tags do not move,
so a pinned version still gives exactly the published bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from catalog import jsontext, yanks
from catalog.index import Catalog
from catalog.release import Location, Model, Release, YankEvent
from catalog.shapes import shaped
from zoo import catalogfile
from zoo.errors import AGAIN, ZooError
from zoo.files.digests import pretty_json
from zoo.files.listing import FileRecord
from zoo.files.whole import write_atomic
from zoo.hub import BRANCH, Hub, HubConflict, Hubs, Repo
from zoo.hub.located import hub_of, hubs_of
from zoo.progress import unheard
from zoo.settings import Settings
from zoo.upkeep import banner, cardnow
from zoo.upkeep.cardnow import CARD

CARD_BYTES = 4 << 20
_TRIES = 3


@dataclass(frozen=True)
class Banner:
    """The result for the card. state: ``committed``, ``unchanged``, ``pending`` (with why) or ``left out``."""

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
    if card:
        _refuse_older(name, version, settings, hubs)
    catalog, changed = catalogfile.change(settings, step)
    model = yanks.find(catalog, name, version)
    release = next(one for one in model.releases if one.version == version)
    left_out = Banner("left out", release.location.model.name)
    done = _card(model, release, settings, hubs) if card else left_out
    mirrors = tuple(_at_mirrors(model, release, settings, hubs)) if card else ()
    elsewhere = _elsewhere(release, settings) if card else ()
    return Yanked(model, changed, done, yanks.pointing_at(catalog, f"{name}@{version}"), mirrors, elsewhere)


def _refuse_older(name: str, version: str, settings: Settings, hubs: Hubs) -> None:
    """Raises OlderCatalog before anything is written. Of a hub that does not answer now nothing is known."""
    model = catalogfile.read_model(settings, name)
    release = model.release(version) if model else None
    if model is None or release is None:
        return
    try:
        repo = repo_of(release, settings, hub_of(release.location, settings, hubs))
        head = repo.refs().branches.get(BRANCH)
        card = read_card(repo, head) if head else ""
    except (ZooError, OSError):
        return
    cardnow.refuse_newer(card, repo, cardnow.at_place(model, release.location), settings, always=True)


def _named_mirror(release: Release, settings: Settings) -> Location | None:
    """The mirror that --hub names."""
    named = settings.values["hub"]
    there = next((one for one in release.mirrors or () if one.hub == named.text), None)
    return there if named.origin.startswith("flag") else None


def _elsewhere(release: Release, settings: Settings) -> tuple[str, ...]:
    """Hubs of the release that are not written to, because --hub names another one."""
    if not settings.values["hub"].origin.startswith("flag"):
        return ()
    named = _named_mirror(release, settings) or release.location
    return tuple(one.hub for one in release.places() if one != named)


def _card(model: Model, release: Release, settings: Settings, hubs: Hubs) -> Banner:
    """Update the card of the release's place, or of its mirror on the hub that --hub names."""
    mirror = _named_mirror(release, settings)
    if mirror:
        return _at_mirror(model, release, mirror, settings, hubs)
    return refresh(model, release, settings, hubs)


def _at_mirrors(
    model: Model, release: Release, settings: Settings, hubs: Hubs
) -> Iterator[tuple[str, Banner]]:
    """Update the cards of the mirrors. A hub that was named is the only one that is written to."""
    if not settings.values["hub"].origin.startswith("flag"):
        for place in release.mirrors or ():
            yield place.hub, _at_mirror(model, release, place, settings, hubs)


def _at_mirror(model: Model, release: Release, place: Location, settings: Settings, hubs: Hubs) -> Banner:
    try:
        there = dataclasses.replace(release, location=place)
        return _commit_due(model, there, settings, hub_of(place, settings, hubs))
    except (ZooError, OSError) as error:
        return Banner("pending", place.model.name, why=cause(error))


def _commit_due(model: Model, release: Release, settings: Settings, hub: Hub, only: bool = False) -> Banner:
    """Commit the card as it should be at the release's place. only: not for the record of events alone, which people do
    not see."""
    repo, place = repo_of(release, settings, hub), release.location.model.name
    there = cardnow.at_place(model, release.location)

    def change(card: str) -> str:
        after = cardnow.due(card, repo, place, there, settings)
        same = only and banner.take_off(after) == banner.take_off(card) and banner.shows(card, there)
        return card if same else after

    return commit_card(repo, place, change, _message(there))


def card_at(model: Model, release: Release, hub: Hub, settings: Settings) -> Banner:
    """Bring the card at the release's place, which is on ``hub``, up to date with the catalog, if it has to differ from
    a released one. A card that the hub cannot show now is ``pending``."""
    if not (model.yanks or model.corrections or pending(settings, model.name)):
        return Banner("unchanged", release.location.model.name)
    try:
        done = _commit_due(model, release, settings, hub, only=True)
    except (ZooError, OSError) as error:
        return Banner("pending", release.location.model.name, why=cause(error))
    marker = pending_marker(settings, model.name)
    if _pending(marker).get("hub", hub.name) == hub.name:
        marker.unlink(missing_ok=True)
    return done


def data_card_at(model: Model, release: Release, hub: Hub, settings: Settings) -> Banner | None:
    """The same for the card of the release's dataset, which only corrections change; None if it has none."""
    there = release.location.dataset
    if there is None or not model.corrected("dataset"):
        return None
    try:
        repo = repo_of(release, settings, hub, "dataset")
        return commit_card(
            repo, there.name, lambda card: cardnow.due_of_data(card, repo, there.name, model, settings),
            f"{model.name}: corrected card",
        )  # fmt: skip
    except (ZooError, OSError) as error:
        return Banner("pending", there.name, why=cause(error))


def refresh(model: Model, release: Release, settings: Settings, hubs: Hubs) -> Banner:
    """Update the card of the release's repository from the catalog; if that fails now, it is recorded as pending."""
    marker = pending_marker(settings, model.name)
    place = release.location.model.name
    try:
        done = _commit_due(model, release, settings, hub_of(release.location, settings, hubs))
    except (ZooError, OSError) as error:
        why = cause(error)
        told = {"hub": release.location.hub, "repository": place, "version": release.version, "why": why}
        write_atomic(marker, pretty_json(told))
        return Banner("pending", place, why=why)
    marker.unlink(missing_ok=True)
    return done


def cause(error: ZooError | OSError) -> str:
    """Why a card could not be changed, without the advice to run the command again: who reports it gives that once."""
    if isinstance(error, ZooError):
        error.again = None
    return str(error)


def expect(settings: Settings, name: str, place: tuple[str, str], version: str) -> None:
    """Note before a commit that its new card does not list withdrawn versions yet; ``card_at`` removes the note. place:
    hub and repository."""
    hub, repository = place
    why = f"the publication of {version} did not finish. Run it again"
    told = {"hub": hub, "repository": repository, "version": version, "why": why}
    write_atomic(pending_marker(settings, name), pretty_json(told))


class _Pending(TypedDict):
    why: str
    hub: NotRequired[str]


def pending(settings: Settings, name: str) -> str | None:
    """Why the card of a model is not up to date yet, if so."""
    return _pending(pending_marker(settings, name)).get("why")


def _pending(marker: Path) -> _Pending | dict[str, str]:
    try:
        return shaped(jsontext.read(marker), _Pending)
    except (OSError, ValueError):
        return {}


def pending_marker(settings: Settings, name: str) -> Path:
    """The file that exists while the card of ``name`` does not show yet what is withdrawn."""
    return settings.releases / name / "banner-pending.json"


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
