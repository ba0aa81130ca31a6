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
VOID = {"meta", "link", "input", "br", "hr", "img", "source", "wbr"}


class Read(HTMLParser):
    """Start tags with addresses made absolute, and words by their nearest place. Spaces between blocks do not count."""

    def __init__(self, html: str, address: str) -> None:
        super().__init__()
        self.address = address
        self.found: list[object] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = {name: urljoin(self.address, value or "") if name == "href" else value for name, value in attrs}
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
        short = lean(html, path)
        assert Read(short, HOST + path).found == Read(html, HOST + path).found, path
        assert len(short) < len(html), path


def test_addresses_do_not_climb_and_come_back() -> None:
    html = (
        '<a href="../../models/a/1.0.0/x/#y">1</a><a href="../../models/a/">2</a><a href="../../models/b/">3</a>'
        '<a href="../../catalog.json">4</a><a href="../../models/ab/">5</a>'
    )
    assert re.findall('href="?(.*?)"?[ >]', lean(html, "models/a/")) == [
        "1.0.0/x/#y", "./", "../b/", "../../catalog.json", "../ab/",
    ]  # fmt: skip


def test_quotes_stay_where_html_needs_them() -> None:
    kept = '<img alt="" src="b.png"/><p class="y z" title="a=b">&#34;c=&#34;</p></a><b id="c d">e</b>'
    html, short = f'<a href="a/" id="x">{kept}', f'<a href="a/" id=x>{kept}'
    assert lean(html, "") == short


def test_lines_of_commands_stay() -> None:
    html = "<pre><code>one\n  two\n\nthree &lt;p&gt;\n</code></pre>\n<p>a <b>b</b> <i>c</i></p>\n<p>d</p>"
    assert lean(html, "") == "<pre><code>one\n  two\n\nthree &lt;p&gt;\n</code></pre><p>a <b>b</b> <i>c</i><p>d</p>"


def test_end_tags_go_where_the_next_tag_ends_the_element() -> None:
    html = (
        "<table><thead><tr><th>a</th></tr></thead>\n<tbody>\n<tr><td>b</td><td><p>c</p></td></tr>\n<tr><td>d</td></tr>"
        "</tbody></table><ul><li>e</li><li><p>f</p></li></ul><p>g</p><p>h</p> i"
    )
    assert lean(html, "") == (
        "<table><thead><tr><th>a</th></tr><tbody><tr><td>b<td><p>c</p></td><tr><td>d</td></tr></tbody></table>"
        "<ul><li>e<li><p>f</p></li></ul><p>g<p>h</p> i"
    )
