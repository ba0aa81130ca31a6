"""Whether the card on a branch is this zoo's, of the version that the user corrects, and as it was published."""

from __future__ import annotations

from catalog.jsonvalues import table
from catalog.release import Correction, Model, Release, Repository
from zoo.errors import InputError
from zoo.hub import Hub, Repo, otherrepo
from zoo.hub.spoken import of_hub
from zoo.release import cards
from zoo.settings import Settings
from zoo.upkeep import banner, cardnow, correction
from zoo.upkeep.cardnow import digest
from zoo.upkeep.yank import read_card, repo_of


def refuse_other_zoo(model: Model, release: Release, hub: Hub, settings: Settings) -> None:
    """Raises OtherRepository if a repository of a release's place, which is on ``hub``, is another zoo's."""
    for kind, place in (("model", release.location.model), ("dataset", release.location.dataset)):
        if place:
            repo = repo_of(release, settings, hub, kind)
            otherrepo.refuse(repo, place, model, settings.releases, of_hub(hub, settings))


def refuse_version(before: str, release: Release, place: Repository, repo: Repo) -> None:
    """Raises InputError unless the card is that of the release, or one that somebody else wrote in its place."""
    kind = "model" if place is release.location.model else "dataset"
    told, _ = cards.read_card(before, "README.md on the hub", kind)
    zoo = told.get("zoo", {})
    shown = (table(zoo).get("version") if isinstance(zoo, dict) else None) or cardnow.branch_version(repo)
    if shown != release.version:
        raise InputError(
            f"the card on the branch of {place.name} is that of version {shown}, not of {release.version}",
            safe="Nothing was changed.",
            remedy="Only the card that the branch shows can be corrected. Set this version in the recipe",
        )


def refuse_changed(before: str, repo: Repo, place: Repository, earlier: tuple[Correction, ...]) -> None:
    """Someone else's changes of the page are kept, unless the user asks to replace them. Raises InputError."""
    if digest(before) in {one.card_sha256 for one in earlier}:
        return
    if before != banner.take_off(read_card(repo, place.commit)):
        if correction.TITLE in before:
            raise banner.OlderCatalog(
                f"README.md on the branch of {place.name} has a correction that the catalog here does not have: the "
                "catalog is older than the hub",
                safe="Nothing was changed.",
                remedy="Get the newest catalog and recipe, for example with: git pull. To replace that correction "
                "anyway, add --force",
            )
        raise InputError(
            f"README.md on the branch of {place.name} is not the one that this zoo published: someone else changed it",
            safe="Nothing was changed.",
            remedy="Look at it there. To replace it anyway, add --force",
        )
