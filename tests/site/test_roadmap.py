"""The roadmap of a site says what the zoo has now."""

from __future__ import annotations

from pathlib import Path

import pytest
from sitesamples import sample

from catalog import index
from zoo import settings as settings_room
from zoo.files import bundled
from zoo.settings import Settings
from zoo.site import documents, roadmap

MODEL = sample().models[0]


@pytest.fixture
def zoo(tmp_path: Path) -> Settings:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "zoo.toml").touch()
    (tmp_path / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    for name, version in ((MODEL.name, MODEL.releases[0].version), ("other", "1.0.0")):
        (tmp_path / f"recipes/{name}.yaml").write_text(f"zoo: 1\nversion: {version}\n", encoding="utf-8")
    (tmp_path / "recipes/other.lock.yaml").write_text("{}\n", encoding="utf-8")
    return settings_room.load(tmp_path, {}, {})


def test_it_follows_recipes_and_catalog(zoo: Settings) -> None:
    newest = f"{MODEL.releases[0].version} of {MODEL.releases[0].date}"
    first, *others = roadmap.rows(zoo)
    assert first == ("other", "a recipe", "1.0.0: zoo release other")
    assert others[0] == ("1 recipe", "released", "nothing planned") and others[-1][0] == "measurements on boards"
    assert len(others) == 2  # no program, and no lock
    (zoo.root / f"recipes/{MODEL.name}.yaml").write_text("zoo: 1\nversion: 99.0.0\n", encoding="utf-8")
    assert (MODEL.name, newest, f"99.0.0: zoo release {MODEL.name}") in roadmap.rows(zoo)
    (zoo.root / "recipes/other.yaml").write_text("zoo: [\n", encoding="utf-8")
    assert ("other", "a recipe with problems", "zoo check recipes/other.yaml") in roadmap.rows(zoo)


def test_a_clone_of_the_program_shows_its_changes(zoo: Settings) -> None:
    (zoo.root / "pyproject.toml").touch()
    changes = zoo.root / "CHANGELOG.md"
    changes.write_text("# Changelog\n\n## 2.0.0 - unreleased\n\n- x\n", encoding="utf-8")
    assert "2.0.0 is not released" in str(roadmap.rows(zoo))
    changes.write_text("# Changelog\n\n## 2.0.0 - 2026-12-01\n", encoding="utf-8")
    assert ("the program", "every change is released", "nothing planned") in roadmap.rows(zoo)


def test_the_documents_are_made_again_when_it_changes(zoo: Settings) -> None:
    before = documents.key(zoo, True)
    assert documents.key(zoo, True) == before
    (zoo.root / "recipes/third.yaml").write_text("zoo: 1\nversion: 1.0.0\n", encoding="utf-8")
    assert documents.key(zoo, True) != before


def test_hostile_names_stay_text(zoo: Settings) -> None:
    name = "<b>|`\x1b[2J"
    (zoo.root / f"recipes/{name}.yaml").write_text('zoo: 1\nversion: "<i>&"\n', encoding="utf-8")
    page = roadmap.inserted(f"<p>{roadmap.MARK}</p>", roadmap.rows(zoo))
    assert "&lt;b&gt;|`" in page and "&lt;i&gt;&amp;" in page and not {"\x1b"} & set(page) and "<b>" not in page
    assert roadmap.inserted("<p></p>", roadmap.rows(zoo)) == "<p></p>"


def test_the_document_has_a_place_for_it() -> None:
    source = (bundled.site_folder() / "docs/explanation/roadmap.md").read_text(encoding="utf-8")
    assert source.count(f"\n{roadmap.MARK}\n") == 1
