"""The documents: the theme's pages by overrides, and built by the successor of mkdocs as well."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from zoo import settings as settings_room
from zoo.files import bundled
from zoo.site import documents

pytest.importorskip("mkdocs")
material = pytest.importorskip("material")

SUCCESSOR = Path(sys.prefix) / "properdocs"
THEME = Path(material.__file__).parent / "templates"
COPIED = {
    "partials/header.html": "8cf3fb15bcf969ff",
    "partials/tabs.html": "d2c82916569e645a",
    "partials/javascripts/base.html": "d6113712bc4deb30",
    "partials/javascripts/content.html": "3722e156f0f6339d",
    "partials/javascripts/palette.html": "8790389765ea6036",
}
"""Files of the theme that ``site/theme`` replaces, or whose script is in ``site/assets/theme``: the beginning of the
sha256 of what was copied. After an update of the theme compare them, take over what is new, and write the digest here.
"""


def built(folder: Path) -> Path:
    (folder / "zoo.toml").touch()
    documents.build(settings_room.load(folder, {}, {}), folder / "out", True)
    return folder / "out"


@pytest.fixture(scope="module")
def by_mkdocs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("mkdocs"))


def text(path: Path) -> str:
    """A page without the versions of the programs that made it."""
    return re.sub(r'<meta name="generator"[^>]*>', "", path.read_text(encoding="utf-8"))


def test_the_successor_builds_the_same_documents(
    by_mkdocs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not SUCCESSOR.is_dir():
        why = f"{SUCCESSOR} is missing; make it with: rm .venv/.ready && make environment"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    monkeypatch.setattr(documents, "PROGRAM", "properdocs")
    monkeypatch.setenv("PYTHONPATH", str(SUCCESSOR))
    other = built(tmp_path)
    pages = sorted(path.relative_to(by_mkdocs) for path in by_mkdocs.rglob("*.html"))
    assert len(pages) > 20
    assert pages == sorted(path.relative_to(other) for path in other.rglob("*.html"))
    for page in pages:
        assert text(other / page) == text(by_mkdocs / page), page
    for name in (documents.NAVIGATION, "search/search_index.json", "schemas/recipe-v1.schema.json"):
        assert (other / name).read_bytes() == (by_mkdocs / name).read_bytes()


def test_every_page_has_the_policy_before_anything_it_loads_and_no_script_of_its_own(by_mkdocs: Path) -> None:
    for page in by_mkdocs.rglob("*.html"):
        html = text(page)
        policy = html.index('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'')
        assert policy < min(html.index("<link"), html.index("<script"))
        assert html.index('<meta charset="utf-8">') < 1024
        # Data for the theme's script is no script.
        for script in re.findall(r"<script[^>]*>", html):
            assert " src=" in script or 'type="application/json"' in script, page
        assert not re.search(r'<[^>]+ style="| tabindex=""|type="checkbox"[^>]* autocomplete', html), page
        assert '<header class="md-header zoo-header" data-md-component="header">' in html


def test_a_document_may_show_what_is_fixed_in_the_theme(tmp_path: Path) -> None:
    shutil.copytree(bundled.site_folder(), tmp_path / "site", ignore=shutil.ignore_patterns("docs", "evidence"))
    (tmp_path / "site/docs").mkdir()
    (tmp_path / "site/docs/index.md").write_text(
        '# A\n\n    <label tabindex=""><input type="checkbox" autocomplete="off">\n\n'
        "| a | b |\n|--:|:-:|\n| `text-align: left;` | 2 |\n"
    )
    # Without the navigation of our documents, and the checks of it.
    config = bundled.mkdocs_file().read_text(encoding="utf-8").partition("validation:")[0]
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    html = text(built(tmp_path) / "index.html")
    assert '&lt;label tabindex=""&gt;&lt;input type="checkbox" autocomplete="off"&gt;' in html
    assert '<th class="zoo-right">a</th>' in html and '<td class="zoo-center">2</td>' in html


def test_what_was_copied_from_the_theme_is_what_it_has() -> None:
    found = {name: hashlib.sha256((THEME / name).read_bytes()).hexdigest()[:16] for name in COPIED}
    assert found == COPIED


def test_what_is_fixed_in_the_theme_is_still_wrong_there() -> None:
    spec = importlib.util.spec_from_file_location("zoo_hooks", bundled.site_folder() / "hooks.py")
    assert spec and spec.loader
    hooks: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    for name, fixes in hooks.FIXES.items():
        for wrong in fixes:
            assert wrong in (THEME / name).read_text(encoding="utf-8"), f"{name} needs no fix for {wrong} any more"


def test_fenced_code_begins_at_the_margin() -> None:
    """Markdown takes an indented fence for words in a line, with the language as the first word. A block in a list is
    indented by eight spaces instead."""
    for path in (bundled.site_folder() / "docs").rglob("*.md"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not (line.startswith(" ") and line.lstrip().startswith("```")), f"{path.name}:{number}"


def test_the_tables_of_the_recipe_are_on_the_site_once(by_mkdocs: Path) -> None:
    """The source of the page has them as Markdown, for readers of the repository."""
    source = (bundled.site_folder() / "docs/reference/recipe.md").read_text(encoding="utf-8")
    page = text(by_mkdocs / "reference/recipe/index.html")
    assert source.count("`allow_fallback`") == page.count("<code>allow_fallback</code><p") == 1
    assert page.count(">What it is, and its bounds</th>") == source.count("| What it is |") and "zoo sync" not in page


def test_the_commands_are_on_the_site_once(by_mkdocs: Path) -> None:
    source = (bundled.site_folder() / "docs/reference/commands.md").read_text(encoding="utf-8")
    page = text(by_mkdocs / "reference/commands/index.html")
    assert source.count("\nzoo release [OPTIONS]") == page.count("<code>zoo release [OPTIONS]") == 1
    assert page.count(">What it does</th>") == source.count("| What it does |") and "zoo sync: " not in page
