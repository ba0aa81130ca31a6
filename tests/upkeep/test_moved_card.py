"""A corrected card goes along when a model moves to another namespace, where its full names are other ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from publishsamples import make_release, publish, settings, zoo

from catalog.release import Correction, Model
from zoo.hub import FolderHub
from zoo.settings import Settings
from zoo.upkeep import cardnow, correct, restore, yank
from zoo.upkeep.branch import Known, strange
from zoo.upkeep.recorded import Account, Expected

FIXTURES = (settings, zoo)


def card(namespace: str, words: str) -> str:
    return (
        f"---\nlicense: mit\nbase_model: upstream/tutor-gguf\ndatasets:\n- {namespace}/tutor-prompts\n---\n# tutor\n\n"
        f"{words} See https://hub.example/{namespace}/tutor-prompts, old/tutor-prompts-2 and upstream/tutor-gguf.\n"
    )


@pytest.fixture
def moved(zoo: Path, settings: Settings) -> Model:
    """A model in the namespace ``new`` whose correction was recorded when it was in ``old``."""
    release = make_release(zoo, **{"README.md": card("new", "As released.")})
    done = publish(release, settings.with_namespace("new"), FolderHub(zoo / "build/hub"))
    text = card("old", "As corrected.")
    path = settings.evidence / release.model.name / "1.0.0" / "corrections/1.md"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    entry = Correction("1.0.0", "2026-11-28", "Not clear.", (), "0" * 64, cardnow.digest(text), "corrections/1.md")
    there = dataclasses.replace(release.release, location=done.location)
    return dataclasses.replace(release.model, releases=(there,), corrections=(entry,))


def read(zoo: Path, namespace: str = "new") -> str:
    repo = FolderHub(zoo / "build/hub").repo("model", namespace, "tutor-gguf")
    return yank.read_card(repo, repo.refs().branches["main"])


def test_the_corrected_card_goes_along_and_names_the_new_place(moved: Model, zoo: Path, settings: Settings) -> None:
    hub = FolderHub(zoo / "build/hub")
    done = yank.card_at(moved, moved.releases[0], hub, settings)
    assert done.state == "committed" and read(zoo) == card("new", "As corrected.")
    assert yank.card_at(moved, moved.releases[0], hub, settings).state == "unchanged"


def test_the_carried_card_is_known_as_this_zoos_own(moved: Model, zoo: Path, settings: Settings) -> None:
    hub = FolderHub(zoo / "build/hub")
    yank.card_at(moved, moved.releases[0], hub, settings)
    cards = restore.cards_of(moved.name, moved, settings)
    assert cardnow.digest(cards.bare(read(zoo))) in cards.corrected
    assert cardnow.digest(cards.bare(read(zoo) + "Mine.\n")) not in cards.corrected
    repo = hub.repo("model", "new", "tutor-gguf")
    head = repo.refs().branches["main"]
    files = {file.path: Expected(file.path, file.sha256, file.size_bytes) for file in repo.tree(head).values()}
    files["README.md"] = Expected("README.md", cardnow.digest(card("new", "As released.")), 1)
    known = Known("model", "new/tutor-gguf", moved, {"1.0.0": Account((), files)})
    assert [one.kind for one in strange(repo, head, known)] == ["card"]
    known = dataclasses.replace(known, recorded=lambda text: cardnow.recorded(text, moved, settings))
    assert not list(strange(repo, head, known))


def test_a_mirror_in_another_namespace_keeps_its_names_when_the_card_is_corrected(
    moved: Model, zoo: Path, settings: Settings
) -> None:
    """The card is written for the release's own place."""
    hub = FolderHub(zoo / "build/hub")
    mirror = moved.releases[0].location
    model_ = dataclasses.replace(moved, corrections=())
    released = make_release(zoo, **{"README.md": card("old", "As released.")})
    place = publish(released, settings.with_namespace("old"), hub).location
    release = dataclasses.replace(moved.releases[0], location=place, mirrors=(mirror,))
    model_ = dataclasses.replace(model_, releases=(release,))
    found = correct.Corrected(
        model_, release, None, (), card("old", "As released."), card("old", "As corrected.")
    )
    recipe: Any = None  # only for what the catalog does not have yet
    done = correct.publish(found, recipe, settings)
    assert (done.card.state, [one.state for _, one in done.mirrors]) == ("committed", ["committed"])
    assert read(zoo) == card("new", "As corrected.") and read(zoo, "old") == card("old", "As corrected.")
    again = correct.publish(found, recipe, settings)
    assert (again.card.state, [one.state for _, one in again.mirrors]) == ("unchanged", ["unchanged"])


def test_a_card_with_two_namespaces_stays_as_it_is(moved: Model) -> None:
    text = card("old", "Once older/tutor-prompts.")
    assert cardnow.carried(text, card("new", "As released."), moved) == text
