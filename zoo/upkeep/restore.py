"""A model at one hub as the catalog records it: contents, commits, tags and the main branch, then versions that only a
new commit can bring back, then the card of the branch with its correction and its notice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from catalog import yanks
from catalog.release import Location, Model, Release
from zoo import catalogfile, commandline
from zoo.errors import ZooError
from zoo.hub import BRANCH, FolderHub, Hub, NoCommit
from zoo.hub.folders import FOLDER
from zoo.hub.located import as_here, here
from zoo.progress import Reporter
from zoo.publish import apply as publishing
from zoo.publish import line, record, repair, repaired
from zoo.publish.claims import Claim
from zoo.publish.others import Cards
from zoo.publish.places import Way
from zoo.publish.repaired import Repaired
from zoo.release import kept
from zoo.settings import Settings
from zoo.upkeep import banner, cardnow, yank
from zoo.upkeep.yank import Banner


@dataclass(frozen=True)
class Order:
    """A model to repair at a hub. move: versions whose commits are lost are published there again, with new commits. A
    folder hub needs no such word: nobody else can have its commits."""

    name: str
    hub: Hub
    move: bool = False


def restore(order: Order, settings: Settings, report: Reporter) -> Repaired:
    """Repair every version of a model at a hub, and its card there. Raises ZooError if the hub does not answer."""
    model, hub = model_of(order.name, settings), order.hub
    found = repair.repair(as_here(model, hub, settings), hub, settings, report)
    if order.move or isinstance(hub, FolderHub):
        for version in list(found.lost):
            _again(model_of(order.name, settings), version, hub, settings, report, found)
    _cards(as_here(model_of(order.name, settings), hub, settings), hub, settings, found)
    return found


def aloud(order: Order, settings: Settings, report: Reporter) -> None:
    """Restore a model in a folder hub that lost versions, and report what was done and what was not possible."""
    report.warn(
        f"the folder hub {settings.hub} lost versions of {order.name} that the catalog records. They are restored"
    )
    found = restore(order, settings, report)
    for what in repaired.first_few(found.restored, "part"):
        report.say(f"restored: {what}")
    for what in repaired.not_done(found):
        report.warn(f"not restored: {what}")


def keep_card(
    name: str, version: str, location: Location, hub: Hub, settings: Settings, report: Reporter
) -> None:
    """Correct the card again and list the withdrawn versions on it, if a new card replaced the one that did, now or in
    an earlier run, or if this place never had it."""
    model = catalogfile.read_model(settings, name)
    entry = model.release(version) if model else None
    if model and entry:
        for done in _both_cards(model, dataclasses.replace(entry, location=location), hub, settings):
            if done.why:
                report.warn(f"the card of {done.repository} is not up to date with the catalog yet: {done.why}")


def is_lost(place: Location, hub: Hub) -> bool:
    """Whether a folder hub no longer has the commits of a place."""
    if not isinstance(hub, FolderHub):
        return False
    for kind, there in (("model", place.model), ("dataset", place.dataset)):
        if there:
            namespace, _, name = there.name.partition("/")
            try:
                hub.repo(kind, namespace, name).body(there.commit)
            except NoCommit:
                return True
            except ZooError:
                continue  # a damaged one is another matter
    return False


def model_of(name: str, settings: Settings) -> Model:
    """A model of the catalog. Raises InputError."""
    model = catalogfile.read_model(settings, name)
    if model is None:
        catalog = catalogfile.read(settings)
        raise catalogfile.unknown(catalog.names, name, settings.root)
    return model


def cards_of(name: str, model: Model | None, settings: Settings) -> Cards:
    """Which cards on a branch are this zoo's own, also in another namespace. A card that lists a withdrawn version that
    the catalog does not know is never replaced: asking for it raises OlderCatalog."""

    replace = commandline.line(settings, "card", name, "--publish", "--force")

    def bare(card: str) -> str:
        banner.refuse_newer(card, name, model, replace)
        taken_off = banner.take_off(card)
        return cardnow.recorded(taken_off, model, settings) if model else taken_off

    return Cards(bare, [one.card_sha256 for one in (model.corrections if model else None) or ()])


def _again(
    model: Model, version: str, hub: Hub, settings: Settings, report: Reporter, found: Repaired
) -> None:
    """Publish a version whose commit is lost, from this machine's copy, and record the new commits."""
    release = model.release(version)
    assert release
    copy = kept.published(model.name, release, settings)
    if copy is None:
        found.leave(f"{found.lost.pop(version)}, and this machine has no copy of version {version}", repaired.COPIES)
        return
    known = here(model.releases, hub, settings=settings)
    place = next((one for one in release.places() if known.is_named(one, release)), None)
    if place is None:
        # Under another name than the recorded one, it cannot get other commits than the recorded ones.
        again = commandline.of(settings, "publish", model.name, "--repair", "--move")
        recorded = release.location.hub
        at = ", by naming its folder with --hub" if recorded == FOLDER else f" with: {again(hub=recorded)}"
        found.leave(f"{found.lost.pop(version)}. The catalog records it at {recorded}", f"Repair it there{at}")
        return
    namespace, _, name = place.model.name.partition("/")
    names = (name, place.dataset.name.partition("/")[2] if place.dataset else None)
    way = Way.MOVE if place is release.location else Way.MIRROR
    claim = Claim(model.name, version, model, hub, settings.with_namespace(namespace), "")
    publication = publishing.Publication(
        copy, names, settings.with_namespace(namespace), hub, line.owner_of(model.name, model, hub.name),
        place, Way.MOVE, cards=cards_of(model.name, model, settings), access=place.access, known_access=place.access,
        claim=claim,
    )  # fmt: skip

    if held := found.held.get(version):
        what = f"{found.lost.pop(version)}. A tag is still on it, so no new commit can have this version"
        found.leave(what, f"Delete {' and '.join(held)}. Then run the same command again")
        return

    def note(location: Location) -> None:
        record.record(copy, dataclasses.replace(location, hub=place.hub), settings, way)

    try:
        claim.refuse_any(names)
        for kind, there in (("model", place.model), ("dataset", place.dataset)):
            repo = hub.repo(kind, namespace, there.name.partition("/")[2]) if there else None
            if there and repo and BRANCH in repo.refs().branches:
                repo.restore_branch(BRANCH, there.commit)  # on the lost commit, which no new one can follow
        done = publishing.apply(publication, report, record=note).location
    except ZooError as error:
        what = f"{found.lost.pop(version)}. It could not be published again: {error.what}"
        found.leave(what, error.remedy or repaired.REPEAT)
        return
    del found.lost[version]
    found.restored.append(f"version {version} of {place.model.name}, now at commit {done.model.commit[:12]}")


def _cards(model: Model, hub: Hub, settings: Settings, found: Repaired) -> None:
    """The notice and the correction of the card at every repository of this hub."""
    seen = set()
    # An older catalog than the hub's knows neither the card nor what was withdrawn since. The card of a lost version
    # comes with the version.
    for release in () if found.outdated else [one for one in model.preferred() if one.version not in found.lost]:
        for place in release.places():
            if place.hub != hub.name or place.model.name in seen:
                continue
            seen.add(place.model.name)
            for done in _both_cards(model, dataclasses.replace(release, location=place), hub, settings):
                if done.state == "committed":
                    is_model = done.repository == place.model.name
                    what = _what(cardnow.at_place(model, place, hub, settings)) if is_model else "its correction"
                    found.restored.append(f"card of {done.repository}, with {what}")
                elif done.why:
                    found.leave(f"the card of {done.repository}: {done.why}", repaired.REPEAT)


def _both_cards(model: Model, release: Release, hub: Hub, settings: Settings) -> Iterator[Banner]:
    """Bring the cards of the model and of its dataset up to date at the release's place."""
    yield yank.card_at(model, release, hub, settings)
    if data := yank.data_card_at(model, release, hub, settings):
        yield data


def _what(model: Model) -> str:
    said = ["the notice of withdrawn versions"] if yanks.active(model) else []
    said += ["its correction"] if model.corrected("model") else []
    return " and ".join(said) or "no notice"
