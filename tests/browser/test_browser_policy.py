"""What pages may load and run: the policy of every document, and hostile text on every type of page."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from gallery import TYPES, hostile_kinds, show

FIELDS = {
    "models.summary",
    "models.task",
    "models.languages",
    "models.owners",
    "models.good_at",
    "models.bad_at",
    "models.releases.licence",
    "models.releases.architecture.name",
    "models.releases.files.type",
    "models.releases.files.speeds.device",
    "models.releases.files.speeds.reasons",
    "models.releases.files.probes.probe",
    "models.releases.dataset.licence",
    "models.releases.dataset.languages",
    "models.releases.lineage.source",
    "models.releases.lineage.licence",
    "models.releases.lineage.upstream",
    "models.releases.tools",
    "models.releases.recipe.file",
    "models.releases.recipe.text",
    "models.releases.location.hub",
    "models.releases.location.model.name",
    "models.yanks.reason",
    "models.reproductions.tools",
}


class Tags(HTMLParser):
    """Start tags in order, with their attributes; and the text inside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.inline = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.found[-1] if self.found else ("", {})
        if tag == "style" or (tag == "script" and attributes.get("type") != "application/json"):
            self.inline += data.strip()


@pytest.mark.parametrize("kind", ["ordinary", "hostile"])
def test_every_document_has_a_strict_policy(kind: str, galleries: Callable[[str], Path]) -> None:
    folder = galleries(kind)
    documents = sorted(folder.rglob("*.html"))
    assert len(documents) > 40
    for path in documents:
        shown, tags = path.relative_to(folder).as_posix(), Tags(path.read_text(encoding="utf-8"))
        metas = [(place, attributes) for place, (tag, attributes) in enumerate(tags.found) if tag == "meta"]
        place, policy = next((p, a["content"]) for p, a in metas if a.get("http-equiv") == "Content-Security-Policy")
        assert not {tag for tag, _ in tags.found[:place]} & {"script", "link", "style", "img"}, shown
        rules = {name: words for name, *words in (rule.split() for rule in policy.split(";"))}
        assert rules["default-src"] == ["'none'"], shown
        engine = ["'wasm-unsafe-eval'"] if shown == "try/index.html" else []
        assert rules.get("script-src", ["'self'"]) == ["'self'", *engine], shown
        assert rules.get("style-src", ["'self'"]) == ["'self'"], shown
        assert not tags.inline, shown
        for tag, attributes in tags.found:
            assert not [name for name in attributes if name == "style" or name.startswith("on")], (shown, tag)
            led = [attributes.get(name, "") for name in ("href", "src", "action", "formaction")]
            assert not [url for url in led if url.strip().lower().startswith(("javascript:", "data:"))], (shown, led)
            if tag in ("script", "img", "iframe", "source") or attributes.get("rel") == "stylesheet":
                assert not [url for url in led if url.startswith(("http:", "https:", "//"))], (shown, led)


def test_hostile_words_stand_in_every_field_that_may_hold_them() -> None:
    assert hostile_kinds() >= FIELDS, FIELDS - hostile_kinds()


WITHOUT = ("boards", "document", "recipe", "commands", "404")
"""Pages that hold no text of a catalog."""

NAMES_ONLY = ("short-version", "try", "compare", "pictures")
"""Pages that hold little of it, in fields that allow nothing of this length."""

_CAUGHT = """() => {
  window.ran = [];
  for (const name of ["alert", "confirm", "prompt"]) window[name] = (...words) => window.ran.push([name, ...words]);
}"""


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in WITHOUT])
def test_hostile_text_runs_nothing_and_fits_a_phone(
    kind: str, gallery_at: Any, open_page: Any, fits: Any, shoot: Any
) -> None:
    page = show(open_page, kind, gallery_at("hostile"), width=360, scripts=f"({_CAUGHT})()")
    shoot(page, f"hostile-{kind}-360")
    fits(page)
    assert page.evaluate("() => window.ran") == []
    assert page.locator("main script, main iframe, main img, main b, main style, main [onload]").count() == 0
    assert page.locator("a[href^='javascript' i], a[href^='data' i]").count() == 0
    text = page.evaluate("() => document.querySelector('main').textContent")
    assert "\u202e" not in text and "alert(2)> 49" not in text
    assert kind in NAMES_ONLY or "<svg onload=alert(2)> {{ 7*7 }}" in text
