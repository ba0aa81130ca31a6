"""mkdocs hooks: put generated reference pages and files into the documents. All HTML is made by ``zoo.pages``.

The catalog's own pages are no part of mkdocs: `zoo site build` puts them beside the documents.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mkdocs.structure.files import File
from mkdocs.structure.toc import AnchorLink, TableOfContents

HERE = Path(__file__).resolve().parent
if (HERE.parent / "zoo" / "pages").is_dir():
    # In the repository `mkdocs build` works without installing the project.
    sys.path.insert(0, str(HERE.parent))

from catalog import schema  # noqa: E402 - after the path is set
from zoo import pages  # noqa: E402 - after the path is set
from zoo.cli import reference  # noqa: E402 - after the path is set

_PAGES: dict[str, pages.Page] = {}
"""Source path of a mkdocs page -> what goes into it; filled anew at the start of every build."""


def on_files(files: Any, *, config: Any) -> Any:
    """Make the reference pages, and add the static files that pages link to."""
    schemas = {name: schema.load(name) for name in schema.names()}
    _PAGES.clear()
    _PAGES["reference/recipe.md"] = pages.recipe_reference(schemas["recipe-v1"])
    _PAGES["reference/schemas.md"] = pages.schema_list(schemas, "../../")
    _PAGES["reference/commands.md"] = pages.command_reference(reference.describe())
    for name in schemas:
        source = schema.FOLDER / f"{name}.schema.json"
        files.append(File.generated(config, f"schemas/{name}.schema.json", abs_src_path=str(source)))
    for path in sorted(path for path in (HERE / "assets").rglob("*") if path.is_file()):
        target = f"assets/{path.relative_to(HERE / 'assets').as_posix()}"
        files.append(File.generated(config, target, abs_src_path=str(path)))
    return files


def on_nav(nav: Any, *, config: Any, files: Any) -> Any:
    """Leave word for the catalog's pages of what they link to: the first page of each entry of the navigation."""
    pages_of = [file for file in files.documentation_pages() if file.src_uri != "index.md"]
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
    """Give pages with made contents their description, escaped, because the theme prints it as it is."""
    made = _PAGES.get(page.file.src_uri)
    if made:
        page.meta.setdefault("description", html.escape(made.description))
    return markdown


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """Put the made HTML below whatever the page's own text is."""
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


def on_post_page(output: str, **_: Any) -> str:
    """Give the theme's page a Content-Security-Policy, which names its own inline scripts, and its search a name."""
    scripts = re.findall(r"<script>(.*?)</script>", output, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in dict.fromkeys(digests))])
    policy = f"default-src 'self'; script-src {allowed}; img-src 'self' data:; base-uri 'self'; object-src 'none'"
    meta = f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
    search = 'data-md-component="search" role="dialog"'
    output = output.replace(search, f'{search} aria-label="Search"')
    return output.replace('<meta charset="utf-8">', meta, 1)
