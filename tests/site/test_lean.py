"""Pages in fewer bytes lead to the same addresses and show the same words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from sitesamples import hostile, sample

from catalog.index import Catalog
from zoo.site import pages
from zoo.site.pages import Site
from zoo.site.pages.lean import lean

HOST = "https://zoo.example.org/below/"
USUAL = (("form", "method", "get"), ("button", "type", "submit"))
"""Attributes that say what is so without them."""


class Read(HTMLParser):
    """Start tags with addresses made absolute, and words by their nearest place. Spaces between blocks do not count."""

    def __init__(self, html: str, address: str) -> None:
        super().__init__()
        self.address = address
        self.found: list[object] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = {name: (value or "").strip() for name, value in attrs if (tag, name, value) not in USUAL}
        if made.get("name") == "viewport":
            made["content"] = made["content"].replace(", ", ",")
        if "href" in made:
            made["href"] = urljoin(self.address, made["href"])
        self.found.append((tag, made))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(re.sub(r"\s+", " ", data.strip()))


@pytest.mark.parametrize("catalog", [sample(), hostile()], ids=["ordinary", "hostile"])
def test_a_page_in_fewer_bytes_is_the_same_page(catalog: Catalog) -> None:
    made = pages.render(catalog, Site(), lambda *_: b"{}")
    shown = {path.removesuffix("index.html"): html for path, html in made.items() if path.endswith("index.html")}
    assert len(shown) > 20
    for path, html in shown.items():
        assert isinstance(html, str)
        short = lean(html)
        assert Read(short, HOST + path).found == Read(html, HOST + path).found, path
        assert len(short) < len(html), path


def test_lines_of_commands_stay() -> None:
    lines = "one\n  two\n\nthree &lt;p>\n"
    html = f"<body>\n<pre><code>{lines}</code></pre>\n<p>a <b>b</b> <i>c</i></p>\n<p>d</p>\n</body>"
    assert lean(html).endswith(f"<pre><code>{lines}</code></pre><p>a <b>b</b> <i>c</i><p>d")


def test_values_that_mean_something_stay() -> None:
    """An empty choice of a list, an empty text for a picture, and the policy as it was written."""
    policy = "default-src 'none'; script-src 'self' 'sha256-q/8+='"
    kept = Read(
        lean(
            f"""<meta http-equiv="Content-Security-Policy" content="{policy}"><option value="">any</option><img alt="">
            <input type="text" value=""><a href="">here</a><p title="&quot;a&quot; &amp;lt; 'b'">c</p>"""
        ),
        HOST,
    ).found
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in kept
    assert ("option", {"value": ""}) in kept
    assert ("img", {"alt": ""}) in kept
    assert ("a", {"href": HOST}) in kept
    assert ("p", {"title": "\"a\" &lt; 'b'"}) in kept
