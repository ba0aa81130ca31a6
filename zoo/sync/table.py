"""The derived files of the repository of this program: what each is made from, and the command that makes it again.

A new derived file gets a row here; ``zoo sync --check`` finds files that say they are generated and have none.
What the site build alone makes (schemas, feeds, the roadmap) is not kept in git, so it cannot differ and has no row.
Nothing here is made from recipes or corpora: who contributes one changes no other file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from zoo.files.digests import pretty_json, sha256_file
from zoo.sync import contents, corpora, figures, people, pins
from zoo.sync.blocks import block, copy_of, fenced
from zoo.sync.derived import Derived

PICTURE = "site/docs/images/front.json"
_SHOWN = (
    "model_catalog.json", "site/assets/zoo.css", "site/templates/answer.html", "site/templates/chooser.html",
    "site/templates/front.html", "site/templates/header.html", "site/templates/runit.html",
)  # fmt: skip
"""What decides the top of the front page. Its golden page is not here: it also lists every device."""
_FAMILIES = "tests/whole/test_families.py"
_STARTER = "site/docs/reference/starter-corpus.md"
_BENCHMARKS = "benchmarks/README.md"
_PARTS = "zoo/sync/parts/workflows"
_GOLDEN = "make golden"
_VERSIONS = "constraints.txt and [tool.zoo.pins] of pyproject.toml"
GENERATED_FOLDERS = ("tests/golden/*",)
"""Patterns of paths below which every file is generated."""


def picture(root: Path, now: str) -> str:
    """What ``site/docs/images/front.png`` was made from: the digests of the files that decide how the page looks."""
    del now
    found = {path: sha256_file(root / path) for path in _SHOWN}
    image = hashlib.sha256((root / PICTURE).with_suffix(".png").read_bytes()).hexdigest()
    return pretty_json({"image_sha256": image, "made_from": found})


def is_program(root: Path) -> bool:
    """Whether a folder is a clone of this program, and not a zoo."""
    return (root / "zoo" / "sync" / "table.py").is_file() and (root / "pyproject.toml").is_file()


def _block(path: str, name: str, source: str, content: Callable[[Path], str]) -> Derived:
    return Derived(path, source, block(name, content), part=name)


def _included(page: str, workflow: str) -> Derived:
    path = f"{_PARTS}/{workflow}.yml"
    return _block(f"site/docs/how-to/{page}.md", f"workflow-{workflow}", path, fenced(path, "yaml"))


ROWS = (
    *(
        Derived(f"{_PARTS}/{name}.yml", "the version in zoo/__init__.py", pins.program)
        for name in ("check", "notes", "release", "report", "site", "watch")
    ),
    _included("publish-from-ci", "release"),
    _included("publish-the-site", "site"),
    _included("watch-for-drift", "watch"),
    _included("check-pull-requests", "check"),
    _block("CONTRIBUTING.md", "workflows", ".github/workflows", contents.workflows),
    _block("site/docs/reference/commands.md", "commands", "the command line", contents.commands),
    _block("site/docs/reference/recipe.md", "keys", "the schema recipe-v1", contents.recipe_keys),
    Derived(people.FILE, "[tool.zoo.people] of pyproject.toml", people.owners),
    _block(_BENCHMARKS, "results", "benchmarks/results", figures.results),
    _block(_BENCHMARKS, "catalog-size", "benchmarks/results/catalog_size.json", figures.catalog_size),
    _block(_BENCHMARKS, "publish", "benchmarks/results/publish.json", figures.publish),
    _block(_BENCHMARKS, "sites", "benchmarks/results of the chooser and the growth", figures.sites),
    _block(_BENCHMARKS, "others", "benchmarks/results", figures.others),
    _block(_STARTER, "shares", corpora.STARTER, corpora.shares),
    _block(_STARTER, "finds", corpora.STARTER, corpora.finds),
    _block(
        "site/docs/how-to/redact-a-corpus.md", "quality", "benchmarks/results/redaction_quality.json", corpora.quality
    ),
    Derived(corpora.PICTURE, corpora.STARTER, corpora.picture),
    _block("site/docs/how-to/govern-a-corpus.md", "checklist", corpora.STARTER, corpora.checklist),
    _block("site/docs/how-to/gouverner-un-corpus.md", "checklist", corpora.STARTER, corpora.checklist_fr),
    Derived(contents.LISTS, "the lists in catalog/data", contents.lists),
    Derived(".github/dependabot.yml", "zoo/sync/parts/dependabot.yml", copy_of("zoo/sync/parts/dependabot.yml")),
    *(
        _block(f".github/ISSUE_TEMPLATE/{form}.yml", "devices", "catalog/devices", contents.devices)
        for form in ("device", "runtime")
    ),
    *(
        _block(f".github/ISSUE_TEMPLATE/{form}.yml", "licences", "catalog/data/hub.json", contents.licences)
        for form in ("dataset", "recipe")
    ),
    Derived("constraints.txt", "pyproject.toml", pins.constraints),
    _block("Makefile", "pins", _VERSIONS, pins.makefile),
    Derived("site/docs/how-to/serve-a-hub.md", _VERSIONS, pins.named),
    Derived("site/docs/tutorial/first-release.md", _VERSIONS, pins.both),
    Derived("README.md", f"{_VERSIONS}, and the version in zoo/__init__.py", pins.both),
    Derived(PICTURE, "the catalog and the front page's template", picture, "make picture", heavy=True),
    Derived(
        "tests/golden/*.html", "the templates and pages", None, _GOLDEN, True,
        "tests/site/test_pages.py",
    ),
    Derived(
        "tests/golden/cards/*", "the templates of cards", None, _GOLDEN, True,
        "tests/release/test_cards.py",
    ),
    Derived("tests/golden/views/*", "the views", None, _GOLDEN, True, "tests/views/test_views.py"),
    Derived(
        "tests/golden/review/*", "the report and the notes", None, _GOLDEN, True,
        "tests/review/test_review_golden.py",
    ),
    Derived(
        "tests/golden/pi-completion.json", "the answer of a fixed model to a fixed prompt", None, "make pi", True,
        "tests/pi/test_pi_emulated.py",
    ),
    Derived("model_catalog.json", "the recipes", None, "make record", True, "tests/whole/test_recorded.py"),
    Derived(
        "site/docs/reference/families.md", "the tests' table of families", None, _GOLDEN,
        True, _FAMILIES,
    ),
)  # fmt: skip
