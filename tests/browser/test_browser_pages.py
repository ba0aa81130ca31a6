"""Every kind of page without scripts, and hostile text in a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from gallery import READY, TYPES
from sitesamples import hostile, sample

from catalog.index import Catalog
from zoo.site import pages
from zoo.site.pages import Site
from zoo.site.pages.lean import lean

MODEL = "smollm2-135m-instruct"
KINDS = {
    "front": "",
    "model": f"models/{MODEL}/",
    "tutor": "models/smollm2-tutor-57m/",
    "hostile": "models/index/",
    "files": "files/",
    "try": "try/",
    "boards": "boards/",
    "board": "boards/pi-zero-2/",
    "recipe": "reference/recipe/",
}
"""A name, and the path of a page of each kind."""


@pytest.mark.parametrize("kind", KINDS)
def test_page_is_readable_without_scripts(kind: str, samples: str, open_page: Any) -> None:
    page = open_page(samples + KINDS[kind], javascript=False)
    assert page.locator("h1").count() == 1


def test_hostile_text_runs_nothing(samples: str, open_page: Any) -> None:
    page = open_page(f"{samples}models/index/")
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    assert "<script>alert(1)</script>" in page.inner_text("body")
    assert page.locator("a[href^='javascript']").count() == 0


def test_paper_says_where_a_page_is_from(samples: str, open_page: Any) -> None:
    for path in ("boards/pi-5-8gb/?x=1", "how-to/share-a-measurement/"):
        page = open_page(samples + path)
        assert page.locator(".zoo-address").count() == 0
        page.evaluate("() => { for (const _ of [1, 2]) dispatchEvent(new Event('beforeprint')); }")
        assert not page.is_visible(".zoo-address")
        page.emulate_media(media="print")
        assert page.is_visible(".zoo-address")
        assert page.locator(".zoo-address").all_inner_texts() == [samples + path]


def test_labels_of_the_chooser_explain_their_terms(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    terms = page.locator(".zoo-ask label a.zoo-term")
    assert terms.all_inner_texts() == ["Context length", "tokens", "KV cache", "Faster"]
    for one in terms.all():
        assert one.get_attribute("title")
        assert "guide/glossary/#" in str(one.get_attribute("href"))


PARSE = """(pages) => pages.map((html) => {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const walk = parsed.createTreeWalker(parsed, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walk.nextNode()) texts.push(walk.currentNode);
  for (const text of texts) if (!text.parentElement.closest("pre")) text.data = text.data.replace(/\\s+/g, " ").trim();
  for (const [tag, name, usual] of [["form", "method", "get"], ["button", "type", "submit"]])
    for (const one of parsed.querySelectorAll(tag)) if (one.getAttribute(name) === usual) one.removeAttribute(name);
  for (const one of parsed.querySelectorAll("meta[name=viewport]")) one.content = one.content.replaceAll(", ", ",");
  for (const one of parsed.querySelectorAll("*")) {
    const known = [...one.attributes].map(({ name, value }) => [name, value]).sort();
    for (const [name] of known) one.removeAttribute(name);
    for (const [name, value] of known) one.setAttribute(name, value.trim());
  }
  parsed.normalize();
  return parsed.documentElement.outerHTML;
})"""
"""What a browser makes of pages: without space around texts, attributes in order, none that says what is usual."""

LAID = """() => [document.body.innerText, [...document.querySelectorAll("body *")].map((one) => {
  const { x, y, width, height } = one.getBoundingClientRect();
  return [one.tagName, ...[x, y, width, height].map(Math.round)];
})]"""
"""The words that a page shows, and where each element is."""


@pytest.mark.parametrize("catalog", [sample(), hostile()], ids=["ordinary", "hostile"])
def test_a_browser_makes_the_same_of_a_page_in_fewer_bytes(catalog: Catalog, samples: str, open_page: Any) -> None:
    made = pages.render(catalog, Site(), lambda *_: b"{}")
    shown = {path: str(html) for path, html in made.items() if path.endswith("index.html")}
    short = [lean(html) for html in shown.values()]
    page = open_page(samples)
    for path, a, b in zip(shown, page.evaluate(PARSE, list(shown.values())), page.evaluate(PARSE, short), strict=True):
        assert a == b, path


@pytest.mark.parametrize("width", [360, 1440])
def test_a_page_in_fewer_bytes_shows_the_same_words_in_the_same_places(
    width: int, gallery_at: Callable[[str], str], open_page: Any
) -> None:
    """Space between words of a line is part of what is shown. Scripts do not run, so nothing changes meanwhile."""
    sites = [gallery_at(kind) for kind in ("ordinary", "ordinary as written")]
    opened = [open_page(address, width=width, javascript=False) for address in sites]
    for kind, path in TYPES.items():
        for page, address in zip(opened, sites, strict=True):
            page.goto(address + path)
        short, written = (page.evaluate(LAID) for page in opened)
        assert short == written, kind


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_header_is_the_same_on_catalog_pages_and_documents(width: int, samples: str, open_page: Any) -> None:
    """The name, the links and the search are in the same places; on a phone all links are in one row."""
    measure = """() => [...document.querySelectorAll(".zoo-logo, .zoo-nav a")].map((one) => {
      const { x, y, height } = one.getBoundingClientRect();
      return [Math.round(x), Math.round(y), Math.round(height)];
    })"""
    found = [open_page(samples + path, width=width).evaluate(measure) for path in ("models/", "guide/glossary/")]
    rows = {tuple(y for _, y, _ in one[1:]) for one in found}
    assert all(len(set(row)) == 1 for row in rows)
    assert all(abs(a[1] - b[1]) <= 1 and a[2] == b[2] for a, b in zip(*found, strict=True))
    assert abs(found[0][0][0] - found[1][0][0]) <= 1


BLOCKS = """() => [...document.querySelectorAll(".zoo-scroll")].flatMap((frame) => {
  const table = frame.querySelector("table"), name = frame.getAttribute("aria-label"), found = [];
  if (frame.scrollWidth > frame.clientWidth) found.push(`${name} scrolls sideways`);
  if (!table.matches(".zoo-blocks:not(.zoo-picks, .zoo-keys, .zoo-files)")) return found;
  const heads = [...table.tHead.rows[0].cells].map((one) => one.textContent.replace(/\\s+/g, " ").trim());
  for (const row of table.tBodies[0].rows)
    for (const cell of row.querySelectorAll("td")) {
      if (!cell.checkVisibility() || cell.querySelector("svg")) continue;
      const said = getComputedStyle(cell, "::before").content.replaceAll('"', ""), head = heads[cell.cellIndex];
      if (!head.startsWith(said)) found.push(`${name}: ${said} stands for ${head}`);
    }
  return found;
})"""
"""Tables that do not fit, and figures without the name that the head of their column has."""


@pytest.mark.parametrize("kind", ["board", "model", "tutor", "version", "yanked", "speed", "loss", "gates"])
def test_a_phone_shows_every_figure_with_its_name_without_scrolling_sideways(
    kind: str, gallery_at: Callable[[str], str], open_page: Any
) -> None:
    """Each figure has its name above it, where the head of the table is for screen readers only."""
    page = open_page(gallery_at("ordinary") + TYPES[kind], width=360)
    assert page.locator(".zoo-scroll").count() and page.evaluate(BLOCKS) == []


@pytest.mark.parametrize("kind", ["model", "gates"])
def test_a_screen_reader_finds_the_same_tables_at_every_width(
    kind: str, gallery_at: Callable[[str], str], open_page: Any
) -> None:
    """As the browser tells it: blocks of a phone are still rows, with their heads."""
    parts = ("table", "row", "columnheader", "rowheader", "cell")
    counts = []
    for width in (1440, 360):
        page = open_page(gallery_at("ordinary") + TYPES[kind], width=width)
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        roles = [one["role"]["value"] for one in tree if not one["ignored"]]
        counts.append({part: roles.count(part) for part in parts})
    assert counts[0]["table"] and counts[0]["columnheader"] and counts[0] == counts[1]


def test_a_bullet_is_on_the_first_line_of_its_link(samples: str, open_page: Any) -> None:
    """A link that is tall enough to tap, with so many words that it takes two lines."""
    page = open_page(f"{samples}compare/", width=360)
    link = page.locator("li > .zoo-tap").first
    lines = """(one) => {
      one.textContent = "word ".repeat(30);
      const first = document.createElement("span"), row = one.parentElement;
      first.textContent = "\u2060";
      row.prepend(first);
      const range = document.createRange();
      range.selectNodeContents(one);
      return [first.getBoundingClientRect().top, ...[...range.getClientRects()].map(({ top }) => top)];
    }"""
    beside, *tops = link.evaluate(lines)
    assert len(set(tops)) > 1 and abs(beside - min(tops)) <= 1


@pytest.mark.parametrize(
    ("kind", "width"),
    [("board", 768), ("files", 360), ("files", 1440)]
    + [(kind, width) for kind in ("recipe", "commands") for width in (360, 1440)],
)
def test_long_tables_fit_the_page(kind: str, width: int, samples: str, open_page: Any) -> None:
    """Of all files a phone shows what people choose by. Of keys and options every width shows everything."""
    page = open_page(samples + TYPES[kind], width=width)
    if kind in READY:
        page.wait_for_function(READY[kind])
    frames = page.locator(".zoo-scroll")
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.getAttribute('aria-label'))"
    assert frames.count() and frames.evaluate_all(wide) == []
    if kind == "files" and width == 360:
        cells = page.locator(".zoo-files tbody tr:first-child td:visible")
        names = "one => getComputedStyle(one, '::before').content.replaceAll('\"', '')"
        said = [cells.nth(n).evaluate(names) for n in range(cells.count())]
        assert said == ["Size", "Same next word", "Decode speed, measured", "Predicted memory"]
        assert page.locator(".zoo-files thead .zoo-sort:visible").count() == page.locator("th[data-sort]").count()
