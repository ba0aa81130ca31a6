"""What the card of a repository should be now: the last correction of the version that its branch shows, and the notice
about withdrawn versions. A mirror, a moved release and a repaired hub get both."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from catalog import jsontext
from catalog.release import Correction, Location, Model, Release
from catalog.shapes import shaped
from zoo import commandline
from zoo.errors import ZooError
from zoo.files import filelist
from zoo.files.filelist import MANIFEST
from zoo.hub import BRANCH, FolderHub, FolderRepo, Hub, Repo
from zoo.hub.located import here
from zoo.hub.spoken import to_name
from zoo.settings import Settings
from zoo.upkeep import banner

CARD = "README.md"
_BYTES = 4 << 20


def latest(model: Model, sha256: str, released: Mapping[str, str], kind: str = "model") -> Correction | None:
    """The correction that a card should have instead of the one it has, or has already; None if its version has none.

    sha256: of the card without the notice. released: version by the digest of its released card. kind: of repository.
    """
    all_ = model.corrected(kind)
    version = next((one.version for one in all_ if one.card_sha256 == sha256), released.get(sha256))
    return next((one for one in reversed(all_) if one.version == version), None)


def at_place(model: Model, place: Location, hub: Hub, settings: Settings) -> Model:
    """The model as far as it is in the repository of a place, which is on ``hub``. Only versions that are there are
    withdrawn there."""
    known = here(model.releases, hub, place.hub, settings=settings)

    def at(release: Release) -> Location | None:
        found = place if place in release.places() else known.place(release)
        return found if found and found.model.name == place.model.name else None

    pairs = [(one, at(one)) for one in model.releases]
    releases = tuple(dataclasses.replace(one, location=there) for one, there in pairs if there)
    return dataclasses.replace(model, releases=releases)


def due(card: str, repo: Repo, place: str, model: Model, settings: Settings) -> str:
    """The card of the branch of the repository ``place`` as it should be. Words that others wrote stay.

    Raises OlderCatalog if the card says more than the catalog, ZooError if the recorded correction is not in the
    evidence folder.
    """
    refuse_newer(card, repo, model, settings)
    bare = banner.take_off(card)
    return banner.put(_corrected(bare, repo, place, model, settings, "model"), model)


def refuse_newer(card: str, repo: Repo, model: Model, settings: Settings, *, always: bool = False) -> None:
    """Raises OlderCatalog if the card of a repository, or the history of its branch, says more of withdrawn versions
    than the catalog. model: as far as it is there. always: look into the history even if the card is as it should be.
    """
    titles = titles_of(repo) if always or not banner.shows(card, model) else ()
    hub = next((to_name(one.location, settings, _hub(repo)) for one in model.releases), "")
    replace = commandline.line(settings, "card", model.name, "--publish", "--force", hub=hub)
    banner.refuse_newer(card, model.name, model, replace, titles)


def _hub(repo: Repo) -> Hub | None:
    """The hub of a repository, if it is a folder."""
    return FolderHub(repo.objects.parent) if isinstance(repo, FolderRepo) else None


def titles_of(repo: Repo) -> list[str]:
    """The titles of the last commits of the branch; empty if the hub does not tell."""
    with suppress(ZooError, OSError):
        if head := repo.refs().branches.get(BRANCH):
            return [note.title for note in repo.history(head, None)]
    return []


def due_of_data(card: str, repo: Repo, place: str, model: Model, settings: Settings) -> str:
    """The same for a dataset repository, whose card has no notice."""
    return _corrected(card, repo, place, model, settings, "dataset")


def carried(text: str, like: str, model: Model) -> str:
    """The recorded text of a card with the namespaces of another card of the same model, ``like``, where only they
    differ: after a move the model and its dataset have other full names. Otherwise unchanged."""
    places = [place for release in model.releases for place in release.places()]
    names = {there.name.partition("/")[2] for place in places for there in (place.model, place.dataset) if there}
    for name in sorted(names):
        full = re.compile(rf"(?<![\w.-])([A-Za-z0-9][\w.-]*)/{re.escape(name)}(?![\w-]|\.\w)")
        before, now = set(full.findall(text)), set(full.findall(like))
        # What both name, such as the model that this one was made from, is in no namespace of this zoo.
        old, new = before - now, now - before
        if len(old) == len(new) == 1:
            was = re.escape(f"{old.pop()}/{name}")
            text = re.sub(rf"(?<![\w.-]){was}(?![\w-]|\.\w)", f"{new.pop()}/{name}", text)
    return text


def recorded(card: str, model: Model, settings: Settings) -> str:
    """The recorded correction that a card is but for its namespaces; the card itself if there is none. Both without the
    notice."""
    for one in model.corrections or ():
        with suppress(OSError, ValueError):
            text = _evidence(model, one, settings).read_text(encoding="utf-8")
            if digest(text) == one.card_sha256 and carried(text, card, model) == card:
                return text
    return card


def _evidence(model: Model, one: Correction, settings: Settings) -> Path:
    return settings.evidence / model.name / one.version / one.evidence


def _corrected(bare: str, repo: Repo, place: str, model: Model, settings: Settings, kind: str) -> str:
    if not model.corrected(kind):
        return bare
    sha256 = digest(recorded(bare, model, settings))
    correction = latest(model, sha256, _released(repo), kind)
    if correction is None or correction.card_sha256 == sha256:
        return bare
    path = _evidence(model, correction, settings)
    text = ""
    with suppress(OSError, ValueError):
        text = path.read_text(encoding="utf-8")
    if digest(text) != correction.card_sha256:
        raise ZooError(
            f"the corrected card of {model.name} {correction.version} is not in {settings.shown(path)}",
            remedy="Restore this file from version control",
        )
    text = carried(text, bare, model)
    if place in bare and place not in text:
        raise ZooError(
            f"the corrected card of {model.name} {correction.version} names another repository than {place}",
            remedy=f"Correct the card there with: {commandline.line(settings, 'card', model.name, '--publish')}",
        )
    return text


def branch_version(repo: Repo) -> str | None:
    """The version that the branch holds; None if it does not say."""
    return next(iter(_released(repo).values()), None)


def _released(repo: Repo) -> dict[str, str]:
    """The version that the branch holds, by the digest of its released card; empty if the branch does not say."""
    head = repo.refs().branches.get(BRANCH)
    with suppress(ValueError, ZooError):
        with repo.open(str(head), MANIFEST) as stream:
            told = shaped(jsontext.parse(stream.read(_BYTES)), dict[str, object])
        files = filelist.records(told.get("files"))
        return {file.sha256: str(told.get("version")) for file in files if file.path == CARD}
    return {}


def digest(text: str) -> str:
    """sha256 of a card's text."""
    return hashlib.sha256(text.encode()).hexdigest()
