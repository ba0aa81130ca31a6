"""The roadmap says what the repository has, and the owners of files are those of pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest
from sitesamples import sample

from catalog import index
from zoo.sync import roadmap
from zoo.sync.derived import Disagrees

MODEL = sample().models[0]
OWNERS = "# Who\n* @a\n\n/recipes/ @b @c\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 2.0.0 - unreleased\n\n- x\n", encoding="utf-8")
    for name, version in ((MODEL.name, MODEL.releases[0].version), ("other", "1.0.0")):
        (tmp_path / f"recipes/{name}.yaml").write_text(f"zoo: 1\nversion: {version}\n", encoding="utf-8")
    (tmp_path / "recipes/other.lock.yaml").write_text("{}\n", encoding="utf-8")
    return tmp_path


def test_it_follows_recipes_catalog_and_changelog(root: Path) -> None:
    text = roadmap.roadmap(root)
    newest = f"{MODEL.releases[0].version} of {MODEL.releases[0].date}"
    assert f"| `{MODEL.name}` | {newest} | nothing planned |" in text
    assert "| `other` | a recipe | `zoo release other` |" in text and "lock" not in text
    assert "| the program | 2.0.0 is not released |" in text
    (root / f"recipes/{MODEL.name}.yaml").write_text("zoo: 1\nversion: 99.0.0\n", encoding="utf-8")
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## 2.0.0 - 2026-12-01\n", encoding="utf-8")
    text = roadmap.roadmap(root)
    assert f"| {newest} | 99.0.0: `zoo release {MODEL.name}` |" in text
    assert "| the program | every change is released |" in text
    (root / "recipes/other.yaml").write_text("zoo: [\n", encoding="utf-8")
    with pytest.raises(Disagrees, match="cannot be read"):
        roadmap.roadmap(root)


def test_the_owners_are_those_of_the_settings(root: Path) -> None:
    (root / "pyproject.toml").write_text('[tool.zoo.people]\nmaintainers = ["@x/team", "@y"]\n', encoding="utf-8")
    assert roadmap.owners(root, OWNERS) == "# Who\n* @x/team @y\n\n/recipes/ @x/team @y\n"
    for wrong in ("[]", '["x"]', '["@x y"]', "[3]"):
        (root / "pyproject.toml").write_text(f"[tool.zoo.people]\nmaintainers = {wrong}\n", encoding="utf-8")
        with pytest.raises(Disagrees, match="no valid maintainers"):
            roadmap.owners(root, OWNERS)
