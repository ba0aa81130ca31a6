"""Files for programs: well formed, the same every time, and hostile text stays text in each format."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import uuid
import xml.etree.ElementTree as ElementTree
import zlib

import pytest
from sitesamples import CONTENT, hostile, sample

from catalog.index import Catalog
from catalog.release import YankEvent
from zoo.site import pages
from zoo.site.pages import feeds, share
from zoo.site.pages.text import oneline

ADDRESS = "https://zoo.example.org/models-of-mine/"
HERE = pages.Site(name="My <zoo>", address=ADDRESS, document_pages=("tutorial/first-release/",))
ATOM = "{http://www.w3.org/2005/Atom}"


def made(catalog: Catalog, site: pages.Site = HERE) -> dict[str, str]:
    files = pages.render(catalog, site, lambda *_: CONTENT)
    return {path: "" if isinstance(value, bytes) else value for path, value in files.items()}


def both() -> Catalog:
    return Catalog(tuple(sorted((*sample().models, *hostile().models), key=lambda model: model.name)))


def entries(text: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(text)
    return [
        {child.tag.removeprefix(ATOM): child.text or child.get("href") or "" for child in entry}
        for entry in root.iter(f"{ATOM}entry")
    ]


def test_the_feed_tells_of_releases_and_yanks_newest_first() -> None:
    event = YankEvent("1.0.0", "2026-11-25", "yank", "It is broken.", "high", "other@2.0.0")
    back = dataclasses.replace(
        event, action="unyank", date="2026-11-26", reason="It is not.", replacement=None
    )
    model = dataclasses.replace(sample().models[1], yanks=(event, back))
    found = entries(made(Catalog((model,)))["feed.atom"])
    assert [entry["title"] for entry in found] == [
        "smollm2-tutor-57m 1.0.0 was unyanked",
        "smollm2-tutor-57m 1.0.0 was yanked",
        "smollm2-tutor-57m 1.0.0",
        "smollm2-tutor-57m 1.1.0",
    ]
    assert found[1]["summary"] == "It is broken. Use other@2.0.0 instead."
    assert found[2]["id"] == f"{ADDRESS}#release:smollm2-tutor-57m@1.0.0"
    assert found[2]["link"] == f"{ADDRESS}models/smollm2-tutor-57m/1.0.0/"
    assert found[2]["updated"] == "2026-11-22T00:00:00Z"
    assert len({entry["id"] for entry in found}) == 4


def test_the_feed_has_a_last_entry() -> None:
    one = sample().models[0]
    many = Catalog(
        tuple(dataclasses.replace(one, name=f"m-{number:03}") for number in range(feeds.NEWS + 20))
    )
    assert len(entries(made(many)["feed.atom"])) == feeds.NEWS


@pytest.mark.parametrize("address", [ADDRESS, ""])
@pytest.mark.parametrize("catalog", [Catalog(()), both()])
def test_feed_and_sitemap_are_well_formed_whatever_the_text(catalog: Catalog, address: str) -> None:
    files = made(catalog, dataclasses.replace(HERE, address=address))
    ElementTree.fromstring(files["feed.atom"])
    assert ("sitemap.xml" in files) is bool(address)
    for path, text in files.items():
        assert "\u202e" not in text or path.endswith((".json", "/recipe.txt"))


def test_the_sitemap_holds_models_and_documents() -> None:
    root = ElementTree.fromstring(made(sample())["sitemap.xml"])
    found = [element.text for element in root.iter() if element.tag.endswith("}loc")]
    assert f"{ADDRESS}models/smollm2-tutor-57m/" in found
    assert f"{ADDRESS}tutorial/first-release/" in found
    assert f"Sitemap: {ADDRESS}sitemap.xml" in made(sample())["robots.txt"]
    tutor = "models/smollm2-tutor-57m/"
    for path in ("", "boards/pi-zero-2/", "files/", f"{tutor}1.0.0/", f"{tutor}1.1.0/dataset/"):
        assert f"{ADDRESS}{path}" in found
    # The page of the newest version asks search engines not to list it.
    assert f"{ADDRESS}models/smollm2-tutor-57m/1.1.0/" not in found
    assert len(found) == len(set(found))
    dates = [element.text for element in root.iter() if element.tag.endswith("}lastmod")]
    assert set(dates) == {"2026-11-22"} and len(dates) == len(found) - 1


def test_every_address_of_the_sitemap_is_a_page_that_may_be_listed() -> None:
    files = made(sample(), dataclasses.replace(HERE, document_pages=()))
    for path in re.findall(r"<loc>([^<]*)</loc>", files["sitemap.xml"]):
        page = files[f"{path.removeprefix(ADDRESS)}index.html"]
        assert "noindex" not in page and f'<link rel="canonical" href="{path}">' in page


def test_ids_without_an_address_are_valid_and_of_this_zoo_only() -> None:
    def ids(name: str, catalog: Catalog) -> list[str]:
        text = made(catalog, pages.Site(name=name))["feed.atom"]
        return re.findall(r"<id>([^<]*)</id>", text)

    mine = ids("My zoo", sample())
    assert len(mine) == len(set(mine)) == 4
    assert all(uuid.UUID(one.removeprefix("urn:uuid:")).version == 5 for one in mine)
    assert mine == ids("My zoo", sample())
    assert not set(mine) & set(ids("Another zoo", sample()))
    other = dataclasses.replace(sample().models[0].releases[0].files[0], sha256="9" * 64)
    releases = [dataclasses.replace(r, files=(other, *r.files[1:])) for r in sample().models[0].releases]
    again = Catalog((dataclasses.replace(sample().models[0], releases=tuple(releases)),))
    assert not set(ids("My zoo", Catalog(sample().models[:1]))) & set(ids("My zoo", again))


def test_a_link_is_shown_with_a_picture_of_the_model() -> None:
    files = pages.render(sample(), HERE, lambda *_: CONTENT)
    page = str(files["models/smollm2-tutor-57m/index.html"])
    address = f"{ADDRESS}models/smollm2-tutor-57m/share.png"
    assert f'<meta property="og:image" content="{address}">' in page
    assert '<meta name="twitter:card" content="summary_large_image">' in page
    assert f'<meta property="og:image" content="{ADDRESS}share.png">' in str(files["boards/index.html"])
    for path in ("share.png", "models/smollm2-tutor-57m/share.png"):
        assert size_of_png(files[path]) == (share.WIDTH, share.HEIGHT)
    assert "share.png" not in "".join(made(sample(), pages.Site()))
    evidence = [str(html) for path, html in files.items() if "/evidence/" in path and path.endswith("index.html")]
    assert evidence and not [html for html in evidence if "share.png" in html or "og:url" in html]
    assert all('rel="canonical"' in html for html in evidence)


def size_of_png(data: str | bytes) -> tuple[int, int]:
    """Width and height of a PNG whose parts and pixels are all valid."""
    assert isinstance(data, bytes) and data.startswith(b"\x89PNG\r\n\x1a\n")
    place, parts = 8, {}
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + content) == int.from_bytes(data[place + 8 + length : place + 12 + length], "big")
        parts[kind] = content
        place += 12 + length
    width, height = (int.from_bytes(parts[b"IHDR"][at : at + 4], "big") for at in (0, 4))
    pixels = zlib.decompress(parts[b"IDAT"])
    line = 1 + width // 4
    assert parts[b"IHDR"][8] == 2 and width % 4 == 0 and len(parts[b"PLTE"]) == 3 * 4
    assert len(pixels) == line * height and not any(pixels[::line])
    return width, height


def test_the_table_has_a_line_for_every_file_and_no_formula() -> None:
    catalog = both()
    model = dataclasses.replace(catalog.models[1], task="=HYPERLINK(1)")
    catalog = Catalog((catalog.models[0], model, *catalog.models[2:]))
    rows = list(csv.DictReader(io.StringIO(made(catalog)["files.csv"])))
    assert len(rows) == sum(len(r.files) for m in catalog.models for r in m.releases)
    by_path = {(row["model"], row["version"], row["path"]): row for row in rows}
    row = by_path["smollm2-135m-instruct", "1.0.0", "model-Q8_0.gguf"]
    assert row["task"] == "'=HYPERLINK(1)"
    assert float(row["kld_mean_nats"]) == 0.00561
    assert row["memory_at_2048_tokens_bytes"] == str(model.releases[0].files[1].memory[1].bytes)
    assert by_path["smollm2-135m-instruct", "1.0.0", "model-F16.gguf"]["kld_mean_nats"] == ""
    assert not [cell for row in rows for cell in row.values() if re.match(r"[=+@]|-(?![\d.])", cell)]


def test_llms_txt_keeps_hostile_words_on_their_line_and_without_meaning() -> None:
    text = made(both())["llms.txt"]
    (line,) = [line for line in text.splitlines() if line.startswith("- [index]")]
    assert r"\<script\>alert(1)\</script\>" in line and r"\[a\](javascript:alert(3))" in line
    assert text.count("\n- [") == 3 + 3
    assert oneline("a\n# b") == r"a \# b"


def test_the_same_catalog_gives_the_same_files() -> None:
    assert made(both()) == made(both())


def test_every_address_of_the_reference_is_there() -> None:
    from zoo.files import bundled

    page = (bundled.site_folder() / "docs/reference/feeds.md").read_text(encoding="utf-8")
    files = made(sample())
    for shown in re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE):
        if not shown.startswith(("evidence/", "schemas/")):
            path = shown.replace("NAME", "smollm2-tutor-57m").replace("VERSION", "1.1.0")
            assert (f"{path}index.html" if path.endswith("/") else path) in files, shown
