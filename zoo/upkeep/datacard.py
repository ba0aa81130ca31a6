"""Correcting the card of a dataset: the only words of a recipe on it are those for people who ask for access.

The text around the figures is the program's. Every figure comes from the evidence of the release; without the evidence,
all but those words stays as the version released it, byte for byte.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from catalog.dataplaces import TEXTS
from catalog.recipe import Recipe, plain
from catalog.release import Correction, Model, Release
from zoo.corpora import datafiles, distributions
from zoo.errors import AGAIN, InputError, ZooError
from zoo.files.digests import pretty_json
from zoo.hub import BRANCH, Hub
from zoo.release import cards
from zoo.settings import Settings
from zoo.upkeep import cardnow, correction, othercard
from zoo.upkeep.cardnow import digest
from zoo.upkeep.reproduce.rebuild import recorded_json
from zoo.upkeep.yank import Banner, commit_card, read_card, repo_of

REASON = "The words for people who ask for access were corrected."
TEXT = "The text around the figures was improved."
"""The reason of a correction that changes no word of a recipe."""


@dataclass(frozen=True)
class DataCard:
    """The card of a dataset with the recipe's words. entry, before and card: see ``correct.Corrected``."""

    entry: Correction | None
    before: str
    card: str

    @property
    def differs(self) -> bool:
        return self.before != self.card


def prepare(
    recipe: Recipe, model: Model, release: Release, model_entry: Correction, settings: Settings, force: bool
) -> DataCard | None:
    """The corrected card, checked; None if the version has no dataset, or nothing of its card changed.

    model_entry: what the catalog is to record, with the changed keys of the model's card. force: also if someone else
    changed the card. Raises InputError, ZooError as ``correct.prepare``.
    """
    place = release.location.dataset
    fields = tuple(field for field in model_entry.fields if field in correction.DATA_WORDS)
    earlier = tuple(one for one in model.corrected("dataset") if one.version == release.version)
    if place is None:
        return None
    repo = repo_of(release, settings, kind="dataset")
    released = read_card(repo, place.commit)
    bare = _rendered(recipe, model, release, released, settings)
    same = not earlier and bare == released
    if same and not force:
        return None
    _refuse_invalid(bare)
    head = repo.refs().branches.get(BRANCH)
    if head is None:
        raise ZooError(f"the hub has no repository {place.name}", remedy="Check the setting hub")
    before = read_card(repo, head)
    othercard.refuse_version(before, release, place, repo)
    if same:
        # Only words of somebody else are replaced.
        return DataCard(None, before, bare) if before != bare else None
    if not force:
        othercard.refuse_changed(cardnow.recorded(before, model, settings), repo, place, earlier)
    if earlier:
        card = correction.with_section(bare, release.version, earlier)
        if digest(cardnow.recorded(card, model, settings)) == earlier[-1].card_sha256:
            return DataCard(None, before, card)
    reason = model_entry.reason if fields else TEXT
    entry = dataclasses.replace(model_entry, reason=reason, fields=fields, kind="dataset")
    card = correction.with_section(bare, release.version, (*earlier, entry))
    sha256 = digest(card)
    return DataCard(
        dataclasses.replace(entry, card_sha256=sha256, evidence=f"corrections/{sha256[:12]}.md"), before, card
    )


def publish(found: DataCard, model: Model, release: Release, settings: Settings, hub: Hub) -> Banner | None:
    """Commit the card at the release's place on ``hub``, which may be a mirror; None if that has no dataset. Raises
    ZooError."""
    place = release.location.dataset
    if place is None:
        return None
    repo = repo_of(release, settings, hub, "dataset")
    # A mirror may still have the released card, or an earlier correction.
    released = read_card(repo, place.commit)
    earlier = {one.card_sha256 for one in model.corrected("dataset") if one.version == release.version}

    def change(now: str) -> str:
        # It may be in another namespace, which its card names.
        card, *known = (cardnow.carried(text, now, model) for text in (found.card, found.before, released))
        if now not in (card, *known) and digest(cardnow.recorded(now, model, settings)) not in earlier:
            raise ZooError(
                f"README.md of {place.name} was changed on the hub meanwhile", remedy="Look at the change there",
                again=AGAIN,
            )  # fmt: skip
        return card

    return commit_card(repo, place.name, change, f"{model.name} {release.version}: corrected card")


def _rendered(recipe: Recipe, model: Model, release: Release, released: str, settings: Settings) -> str:
    """The card as this program writes it for the release, or the released one with the recipe's words.

    Raises Damaged for invalid evidence.
    """
    place, name = release.location.dataset, recipe.name
    report = recorded_json(name, release, distributions.FILE, settings)
    data = recorded_json(name, release, datafiles.FILE, settings)
    files = {one.path: one.sha256 for one in datafiles.parse(pretty_json(data).encode())} if data else {}
    splits = distributions.splits_of(report, files)
    if place is None or not splits or not (release.dataset and recipe.teacher and recipe.label):
        return cards.with_gate(released, recipe)
    pinned = {(one.role, one.source): one.sha256 for one in release.lineage}
    sources = [
        {**plain(file), "part": part, "sha256": pinned.get((part, f"{file.path} ({file.source})"))}
        for part, named in recipe.data.items()
        if part not in TEXTS
        for file in named
    ]
    card = cards.dataset_card(recipe, model, release, place.name.partition("/")[0], splits, sources)
    return card if figures(card) == figures(released) else cards.with_gate(released, recipe)


def figures(card: str) -> tuple[object, list[str]]:
    """What a correction never changes: the zoo's own metadata, and the rows of tables that have a number."""
    rows = card.partition(f"\n{correction.TITLE}")[0].split("\n")
    metadata = cards.read_card(card, "README.md", "dataset")[0].get("zoo")
    return metadata, [row for row in rows if row.startswith("|") and any(map(str.isdigit, row))]


def _refuse_invalid(card: str) -> None:
    if problems := cards.read_card(card, "README.md", "dataset")[1]:
        raise InputError(
            "\n".join(["the corrected card of the dataset would not be valid", *(f"  {one}" for one in problems)]),
            safe="Nothing was changed.",
            remedy="Fix these words in the recipe",
        )
