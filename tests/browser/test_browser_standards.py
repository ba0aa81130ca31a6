"""Every type of page as the field's own tools judge it: axe-core for access, html-validate for HTML.

They come from npm, pinned with their digests in ``checkers/package-lock.json``; ``make test`` puts them into
``.venv/npm/checkers``. Each page is opened in three widths and both colour schemes, must fit, and is kept as a picture.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gallery import FORMER, REDIRECT, TYPES, show
from needs import missing

HERE = Path(__file__).parent / "checkers"
MODULES = Path(sys.prefix) / "npm" / "checkers" / "node_modules"
LOOKS = tuple((width, scheme) for width in (1440, 768, 360) for scheme in ("light", "dark"))
_RULES = {"target-size": {"enabled": True}}
"""WCAG 2.2 asks for targets of 24 px; axe leaves that rule out unless it is asked for."""

_AXE = """async (rules) => (await axe.run(document, {rules, resultTypes: ["violations"]})).violations.flatMap(
  ({id, nodes}) => nodes.map(({html, failureSummary}) => `${id}: ${html.slice(0, 200)} ${failureSummary}`))"""


def installed(name: str) -> Path:
    """The folder of a package of npm."""
    found = MODULES / name
    if not found.is_dir():
        missing(f"{name} is not installed: make checkers (it needs npm)")
    return found


@pytest.fixture(scope="module")
def violations() -> Callable[[Any], list[str]]:
    """``violations(page)`` by axe-core."""
    script = (installed("axe-core") / "axe.min.js").read_text(encoding="utf-8")

    def run(page: Any) -> list[str]:
        page.evaluate(script)
        return list(page.evaluate(_AXE, _RULES))

    return run


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("kind", TYPES)
def test_page_fits_and_axe_finds_nothing(
    kind: str, width: int, scheme: str, gallery_at: Any, open_page: Any, fits: Any, shoot: Any, violations: Any
) -> None:
    page = show(open_page, kind, gallery_at("ordinary"), width=width, scheme=scheme)
    shoot(page, f"{kind}-{width}-{scheme}")
    fits(page)
    assert violations(page) == []


def test_axe_finds_what_is_wrong(gallery_at: Any, open_page: Any, violations: Any) -> None:
    """Else the tests above would pass if axe never looked."""
    page = open_page(gallery_at("ordinary"))
    page.eval_on_selector("[name=board]", "one => one.parentElement.replaceWith(one)")
    page.eval_on_selector(".zoo-take", "one => { one.style.color = '#ddd'; }")
    found = {one.split(":")[0] for one in violations(page)}
    assert {"select-name", "color-contrast"} <= found
    open_page.troubles.clear()


def test_redirect_page(gallery_at: Any, open_page: Any, fits: Any, violations: Any) -> None:
    address = gallery_at("ordinary")
    page = open_page(address)

    def stay(route: Any) -> None:
        text = route.fetch().text()
        assert "http-equiv=refresh" in text
        route.fulfill(body=text.replace("http-equiv=refresh", "name=refresh"), content_type="text/html")

    page.route(f"**/{REDIRECT}", stay)
    page.goto(address + REDIRECT)
    assert page.inner_text("h1") == "Moved"
    fits(page)
    assert violations(page) == []
    page.unroute(f"**/{REDIRECT}")
    page.goto(address + REDIRECT)
    page.wait_for_url(lambda address: "/models/" in address and FORMER not in address)
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("kind", ["ordinary", "hostile"])
def test_html_is_valid(kind: str, galleries: Callable[[str], Path], tmp_path: Path) -> None:
    """As the templates wrote them: html-validate does not know that HTML lets a page leave out end tags. Another test
    compares what a browser makes of them before and after."""
    folder = galleries(f"{kind} as written")
    documents = len(list(folder.rglob("*.html")))
    assert documents > 40
    command = [node(), str(installed("html-validate") / "bin" / "html-validate.mjs"), "--config"]
    command += [str(HERE / "html-validate.json"), "--formatter", "json", "--max-warnings", "0", "**/*.html"]
    told = tmp_path / "told.json"
    with told.open("wb") as stream:  # it ends before a pipe has taken all of what it says
        done = subprocess.run(command, cwd=folder, stdout=stream, stderr=subprocess.PIPE, timeout=120, check=False)
    found = [
        f"{Path(file['filePath']).relative_to(folder)}:{one['line']}: {one['ruleId']}: {one['message']}"
        for file in json.loads(told.read_text(encoding="utf-8"))
        for one in file["messages"]
    ]
    assert found == [] and done.returncode == 0, done.stderr


def node() -> str:
    found = shutil.which("node")
    if not found:
        missing("node is not installed: apt install nodejs")
    return found
