"""mkdocs hooks: put generated reference pages and files into the documents. All HTML is made by ``zoo.site.pages``.

mkdocs does not make the catalog's own pages: `zoo site build` adds them to the documents.
"""

from __future__ import annotations

import functools
import html
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2.ext import Extension as TemplateExtension
from markdown.extensions import Extension as MarkdownExtension
from markdown.treeprocessors import Treeprocessor
from mkdocs.structure.files import File
from mkdocs.structure.toc import AnchorLink, TableOfContents

HERE = Path(__file__).resolve().parent
if (HERE.parent / "zoo" / "site").is_dir():
    # In the repository `mkdocs build` works without installing the project.
    sys.path.insert(0, str(HERE.parent))

from catalog import schema  # noqa: E402 - after the path is set
from zoo.cli import reference  # noqa: E402 - after the path is set
from zoo.site import pages  # noqa: E402 - after the path is set

FIXES = {
    "base.html": {' type="checkbox" id="__drawer" autocomplete="off"': ' type="checkbox" id="__drawer"',
                  ' type="checkbox" id="__search" autocomplete="off"': ' type="checkbox" id="__search"'},
    "partials/nav-item.html": {' tabindex="{{ tabindex }}"': '{% if tabindex %} tabindex="{{ tabindex }}"{% endif %}'},
}  # fmt: skip
"""Template of the theme -> what is invalid in it -> what it becomes. All else is in ``site/theme``."""

LUNR = Path(inspect.getfile(File)).parents[1] / "contrib/search/templates/search/lunr.js"
"""The search that mkdocs and its successor bring; ``site/assets/search-worker.js`` uses it."""

DESCRIPTION = 200
"""Characters of a page's description, which search engines show."""

_UNUSED = re.compile(r"assets/(javascripts/lunr/|.*\.map\Z)")
"""Of the theme: languages of its own search, which the search of ``site/assets`` replaces, and maps of its sources."""

HOME = "index.md"
"""The page that the catalog's front page replaces."""

_IN_SOURCE = re.compile(r"^<!-- zoo sync: (?:commands|keys) -->.*?^<!-- zoo sync: end -->$", re.MULTILINE | re.DOTALL)
"""What only readers of the source need; the site has the same as HTML."""
_SIDES = {f"text-align: {side};": side for side in ("left", "center", "right")}
_PAGES: dict[str, pages.Page] = {}
"""Source path of a mkdocs page -> what goes into it; filled again at the start of every build."""


def on_config(config: Any) -> Any:
    """Align the columns of tables by classes."""
    config.markdown_extensions.append(_Aligned())
    return config


def on_files(files: Any, *, config: Any) -> Any:
    """Make the reference pages, and add the static files that pages link to."""
    schemas = {name: schema.load(name) for name in schema.names()}
    _PAGES.clear()
    _PAGES["reference/recipe.md"] = pages.recipe_reference(schemas["recipe-v1"])
    _PAGES["reference/schemas.md"] = pages.schema_list(schemas, "../../")
    _PAGES["reference/commands.md"] = pages.command_reference(reference.describe())
    for name, content in schemas.items():
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        files.append(File.generated(config, f"schemas/{name}.schema.json", content=text))
    for path in sorted(path for path in (HERE / "assets").rglob("*") if path.is_file()):
        target = f"assets/{path.relative_to(HERE / 'assets').as_posix()}"
        files.append(File.generated(config, target, abs_src_path=str(path)))
    files.append(File.generated(config, "assets/lunr.js", abs_src_path=str(LUNR)))
    return files


def on_nav(nav: Any, *, config: Any, files: Any) -> Any:
    """Write down what the catalog's pages link to: the first page of each entry of the navigation."""
    pages_of = [file for file in files.documentation_pages() if file.src_uri != HOME]
    links = [(item.title, _first(item).file.url) for item in nav.items if _first(item)]
    address = config.site_url if urlsplit(config.site_url or "").scheme in ("http", "https") else ""
    word = {
        "name": config.site_name,
        "address": f"{address.rstrip('/')}/" if address else "",
        "links": [(title, url) for title, url in links if url not in ("", "./")],
        "pages": sorted(file.url for file in pages_of),
    }
    files.append(File.generated(config, "navigation.json", content=json.dumps(word)))
    return nav


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Give every page its description, escaped, because the theme prints it as it is; leave out the tables of a page
    that is generated."""
    made = _PAGES.get(page.file.src_uri)
    markdown = _IN_SOURCE.sub("", markdown) if made else markdown
    said = page.meta.get("description") or (made.description if made else _first_words(markdown))
    if said:
        page.meta["description"] = html.escape(said)
    return markdown


def _first_words(markdown: str) -> str:
    """The first paragraph of a document as plain text, cut after a sentence or a word; empty if there is none."""
    text = re.sub(r"^ *```.*?^ *```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    paragraphs = (part.strip() for part in re.split(r"\n\s*\n", text))
    first = next((part for part in paragraphs if re.match(r"[\w`*\[]", part)), "")
    plain = " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", lambda hit: hit[1] or "", first).split()).rstrip(":")
    if len(plain) <= DESCRIPTION:
        return plain
    cut = plain[:DESCRIPTION]
    end = cut.rfind(". ")
    return cut[: end + 1] if end > DESCRIPTION // 3 else f"{cut[: cut.rfind(' ')]} ..."


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """Put the generated HTML below the page's own text."""
    made = _PAGES.get(page.file.src_uri)
    if made is None:
        return content
    if made.toc:
        page.toc = TableOfContents([*_headings(page.toc), *(AnchorLink(e.title, e.id, 2) for e in made.toc)])
    return content + made.html


def _first(item: Any) -> Any:
    """The first page at or below an entry of the navigation; None for a link or an empty section."""
    if item.is_page:
        return item
    return next((found for child in item.children or () if (found := _first(child))), None)


def _headings(toc: Any) -> list[Any]:
    """The entries below a page's own title."""
    return [child for item in toc for child in (item.children if item.level == 1 else [item])]


def on_env(env: Any, *, config: Any, files: Any) -> Any:
    """Give the theme the header of all pages, fix two attributes that are not in any block or small file, and leave out
    what no reader's browser loads."""
    for file in [one for one in files if _UNUSED.match(one.src_uri)]:
        files.remove(file)
    env.add_extension(_ValidTemplates)
    env.globals["zoo_header"] = functools.partial(_header, config.site_name)
    return env


def _header(name: str, nav: Any, page: Any, base_url: str) -> str:
    """The header of a document, which is that of the catalog's pages."""
    entries = [(item, _first(item)) for item in nav.items]
    links = [pages.Link(item.title, first.file.url) for item, first in entries if first and first.file.src_uri != HOME]
    # Of the entry that the page is below; a page that is not in the navigation, as for errors, has none.
    top = (page.ancestors or [page])[-1] if page else None
    first = next((first for item, first in entries if first and item is top), None)
    current = first.file.url if first else "-"
    site = pages.Site(name, tuple(links))
    return pages.header(site, f"{base_url.rstrip('/')}/", current, whole=page is first, drawer=True)


class _ValidTemplates(TemplateExtension):
    """Templates of the theme as they are read: HTML has no ``autocomplete`` of a checkbox and no empty ``tabindex``."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source with what FIXES says of this template."""
        del filename
        for wrong, right in FIXES.get(name or "", {}).items():
            source = source.replace(wrong, right)
        return source


class _Columns(Treeprocessor):
    """Columns of a table are aligned by classes: the policy refuses styles in the text."""

    def run(self, root: Any) -> None:
        """Replace the style of every cell that has one."""
        for cell in (*root.iter("th"), *root.iter("td")):
            if side := _SIDES.get(cell.get("style", "")):
                cell.set("class", f"zoo-{side}")
                del cell.attrib["style"]


class _Aligned(MarkdownExtension):
    """Makes Markdown use ``_Columns``, after its own processing of a table's cells."""

    def extendMarkdown(self, md: Any) -> None:
        """Add it."""
        md.treeprocessors.register(_Columns(md), "zoo-columns", 0)
