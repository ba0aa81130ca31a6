"""Correcting the card of a published version: the catalog first, then one commit that changes README.md only.

The new words come from the recipe, every figure from the catalog's record. Running it again does what is missing.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from catalog import checks, index, shell, unseen
from catalog.checks import CheckedRecipe
from catalog.index import Catalog
from catalog.jsonvalues import table
from catalog.recipe import Recipe
from catalog.release import Correction, Location, Model, Release
from catalog.yanks import REASON_CHARACTERS
from zoo import catalogfile, commandline
from zoo.errors import AGAIN, InputError, ZooError
from zoo.files.whole import sweep, write_atomic
from zoo.hub import BRANCH, Hub
from zoo.hub.located import hub_of, hubs_of, named_place
from zoo.hub.spoken import spoken
from zoo.plan import foresight
from zoo.release import cards, record, selfcheck
from zoo.settings import Settings
from zoo.upkeep import banner, cardnow, correction, datacard, othercard
from zoo.upkeep.datacard import DataCard
from zoo.upkeep.reproduce.rebuild import recorded_json
from zoo.upkeep.yank import Banner, commit_card, left, opened, read_card, repo_of


@dataclass(frozen=True)
class Corrected:
    """A card with the recipe's words. entry: what the catalog is to record, None if it has it already.

    before: the card that the branch has now, card: the new one; both without the notice of a withdrawn version. data:
    the card of the dataset, None if the version has none or if its card shows none of the changed words.
    """

    model: Model
    release: Release
    entry: Correction | None
    fields: tuple[str, ...]
    before: str
    card: str
    data: DataCard | None = None

    @property
    def differs(self) -> bool:
        return self.before != self.card or (self.data is not None and self.data.differs)

    def diff(self) -> str:
        """The lines that change, as a unified diff."""
        said = _diff(self.before, self.card, "README.md")
        return said + (_diff(self.data.before, self.data.card, "README.md of the dataset") if self.data else "")


def _diff(before: str, after: str, name: str) -> str:
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(*lines, f"{name} now", name))


def prepare(checked: CheckedRecipe, settings: Settings, *, reason: str, date: str, force: bool) -> Corrected:
    """The corrected card, checked; nothing is changed.

    reason: "" for one that names the changed keys. force: also if someone else changed the card on the branch.
    Raises InputError if the version is not published, is not the one on the branch, if the recipe differs in more than
    words, or for a card that the Hub would refuse; ZooError if the hub does not answer.
    """
    recipe = checked.recipe
    assert recipe
    model = catalogfile.read_model(settings, recipe.name)
    release = model.release(recipe.version) if model else None
    if model is None or release is None:
        raise InputError(
            f"{recipe.name} {recipe.version} is not published, so there is no card to correct",
            safe="Nothing was changed.",
            remedy=f"Publish it with: {commandline.line(settings, 'release', recipe.name)}",
        )
    foresight.refuse_placeholders(checked, safe="Nothing was changed.")
    fields = _fields(checked, recipe, release, settings)
    hubs = hubs_of(settings)
    release = dataclasses.replace(release, location=named_place(model, release, settings, hubs))
    hub = hub_of(release.location, settings, hubs, release)
    repo = repo_of(release, settings, hub)
    head = repo.refs().branches.get(BRANCH)
    if head is None:
        raise ZooError(f"the hub has no repository {release.location.model.name}", remedy="Check the setting hub")
    othercard.refuse_other_zoo(model, release, hub, settings)
    shown = read_card(repo, head)
    before = banner.take_off(shown)
    othercard.refuse_version(before, release, release.location.model, repo)
    earlier = tuple(one for one in model.corrected("model") if one.version == release.version)
    if not force:
        cardnow.refuse_newer(shown, repo, cardnow.at_place(model, release.location, hub, settings), settings)
        othercard.refuse_changed(cardnow.recorded(before, model, settings), repo, release.location.model, earlier)
    entry = _entry(checked, release, fields, reason or _default_reason(fields), date)
    words = record.model(recipe)
    model_entry = dataclasses.replace(entry, reason=reason or datacard.REASON)
    data = datacard.prepare(recipe, model, release, model_entry, settings, force)
    for known in earlier[-1:]:
        card = _card(recipe, words, release, earlier, settings)
        if _sha256(cardnow.recorded(card, model, settings)) == known.card_sha256:
            return Corrected(model, release, None, fields, before, card, data)
    if not fields and not earlier:
        bare = _card(recipe, words, release, (), settings)
        if bare == banner.take_off(read_card(repo, release.location.model.commit)):
            return Corrected(model, release, None, fields, before, bare, data)
    card = _card(recipe, words, release, (*earlier, entry), settings)
    sha256 = _sha256(card)
    entry = dataclasses.replace(entry, card_sha256=sha256, evidence=f"corrections/{sha256[:12]}.md")
    return Corrected(model, release, entry, fields, before, card, data)


@dataclass(frozen=True)
class Done:
    """The result for the card of the release's place, and for those of its mirrors by their hub; ``data`` and
    ``data_mirrors`` are those of the dataset, None if it has no correction."""

    card: Banner
    mirrors: tuple[tuple[str, Banner], ...] = ()
    data: Banner | None = None
    data_mirrors: tuple[tuple[str, Banner], ...] = ()


def publish(found: Corrected, recipe: Recipe, settings: Settings) -> Done:
    """Record the corrections and their cards, then commit README.md, also to mirrors.

    Raises ZooError; the same call again continues. A mirror that fails is ``pending``.
    """
    name, release = found.release.location.model.name, found.release
    model = found.model
    entries = [(found.entry, found.card), *([(found.data.entry, found.data.card)] if found.data else [])]
    if news := [(entry, text) for entry, text in entries if entry]:
        words = record.model(recipe)

        def step(catalog: Catalog) -> Catalog:
            for one, text in news:
                path = settings.evidence / model.name / release.version / one.evidence
                sweep(path.parent)
                write_atomic(path, text)
                catalog = index.with_correction(catalog, words, one)
            return catalog

        catalogfile.change_model(settings, model.name, step)
        model = catalogfile.read_model(settings, model.name) or model

    hubs = hubs_of(settings)
    hub = hub_of(release.location, settings, hubs, release)
    repo = repo_of(release, settings, hub)
    # A mirror may still have the released card, or an earlier correction.
    released = banner.take_off(read_card(repo, release.location.model.commit))
    earlier = {one.card_sha256 for one in model.corrected("model") if one.version == release.version}

    def change(now: str, place: Location = release.location, hub: Hub = hub) -> str:
        bare = banner.take_off(now)
        # A mirror may be in another namespace, which its card names.
        card, *known = (cardnow.carried(text, bare, model) for text in (found.card, found.before, released))
        if bare not in (card, *known) and _sha256(cardnow.recorded(bare, model, settings)) not in earlier:
            raise ZooError(
                "README.md was changed on the hub meanwhile", remedy="Look at the change there", again=AGAIN
            )
        return banner.put(card, cardnow.at_place(model, place, hub, settings))

    message = f"{model.name} {release.version}: corrected card"
    try:
        card = commit_card(repo, name, change, message)
        data = datacard.publish(found.data, model, release, settings, hub) if found.data else None
    except ZooError as error:
        error.safe = "The catalog has the correction. No card has half of it; one may have the old words."
        error.again = error.again or AGAIN
        raise
    mirrors, data_mirrors = list[tuple[str, Banner]](), list[tuple[str, Banner]]()
    # A hub that was named is the only one that is written to.
    for place in (release.mirrors or ()) if not settings.values["hub"].origin.startswith("flag") else ():
        at = spoken(place, settings, mirror=True)
        try:
            there = dataclasses.replace(release, location=place)
            of_mirror = opened(model.name, place, release, settings, hubs)
            othercard.refuse_other_zoo(model, there, of_mirror, settings)
            here, repo = functools.partial(change, place=place, hub=of_mirror), repo_of(there, settings, of_mirror)
            mirrors.append((at, commit_card(repo, place.model.name, here, message)))
            if found.data and (there_too := datacard.publish(found.data, model, there, settings, of_mirror)):
                data_mirrors.append((at, there_too))
        except (ZooError, OSError) as error:
            mirrors.append((at, left(place.model.name, error)))
    return Done(card, tuple(mirrors), data, tuple(data_mirrors))


def _fields(checked: CheckedRecipe, recipe: Recipe, release: Release, settings: Settings) -> tuple[str, ...]:
    """The keys whose words differ. Raises InputError if anything else does."""
    released = checks.recorded_recipe(release.recipe.text, release.recipe.file)
    if released is None:
        raise InputError(
            f"the recorded recipe of {recipe.name} {release.version} is not valid for this program",
            safe="Nothing was changed.",
            remedy="Raise the version in the recipe, then release it",
        )
    fields, others = correction.changed(released, recipe)
    if others:
        raise InputError(
            f"{checked.file} differs from the recipe of {recipe.name} {release.version} in more than the words of the "
            f"card: {', '.join(others[:12])}",
            safe="Nothing was changed.",
            remedy="Restore these keys, or raise the version and run: "
            f"{commandline.line(settings, 'release', recipe.name)}. A correction may change "
            f"{', '.join(correction.WORDS)}",
        )
    return fields


def _default_reason(fields: tuple[str, ...]) -> str:
    return f"Other words for {', '.join(fields)}." if fields else "The text around the figures was improved."


def _entry(
    checked: CheckedRecipe, release: Release, fields: tuple[str, ...], reason: str, date: str
) -> Correction:
    if unseen.blank(reason) or len(reason) > REASON_CHARACTERS or unseen.visible(reason) != reason:
        raise InputError(
            f"the reason must be one line of 1 to {REASON_CHARACTERS} visible characters",
            safe="Nothing was changed.",
            remedy="Write it as plain text: --reason TEXT",
        )
    return Correction(release.version, date, reason, fields, hashlib.sha256(checked.text).hexdigest(), "", "")


def _card(
    recipe: Recipe, words: Model, release: Release, corrections: tuple[Correction, ...], settings: Settings
) -> str:
    """The card from the recipe's words and the record's figures. Raises InputError if its metadata is not valid."""
    compared = recorded_json(recipe.name, release, "parity.json", settings)
    if compared is None and any(file.path == "parity.json" for file in release.evidence):
        raise InputError(
            f"the evidence of {recipe.name} {release.version} is not on this machine",
            where=settings.shown(settings.evidence / recipe.name / release.version / "parity.json"),
            safe="Nothing was changed.",
            remedy="Restore the folder from version control",
        )
    namespace = release.location.model.name.partition("/")[0]
    remarks = cards.remarks(table(compared)) if compared is not None else []
    bare = cards.model_card(recipe, words, release, namespace, remarks)
    card = correction.with_section(bare, release.version, corrections)
    if wrong := list(selfcheck.card(recipe, release, card)):
        raise InputError(
            "\n".join(["the corrected card would not be valid", *wrong]),
            safe="Nothing was changed.",
            remedy="Fix these words in the recipe",
        )
    return card


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def recipe_of(path: Path, settings: Settings) -> CheckedRecipe:
    """The recipe with the new words. Raises InputError with every problem."""
    checked = checks.check_recipe(path, settings.root)
    if checked.recipe is None:
        raise InputError(
            "\n".join([f"{checked.file} is not valid", *(f"  {problem}" for problem in checked.problems)]),
            safe="Nothing was changed.",
            remedy=f"Fix these lines, then look at them with: zoo check {shell.argument(checked.file)}",
        )
    return checked
