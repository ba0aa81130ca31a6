"""mkdocs hooks: put generated reference pages and files into the documents. All HTML is made by ``zoo.site.pages``.

mkdocs does not make the catalog's own pages: `zoo site build` adds them to the documents.
"""

from __future__ import annotations

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
if (HERE.parent / "zoo" / "site").is_dir():
    # In the repository `mkdocs build` works without installing the project.
    sys.path.insert(0, str(HERE.parent))

from catalog import schema  # noqa: E402 - after the path is set
from zoo.cli import reference  # noqa: E402 - after the path is set
from zoo.site import pages  # noqa: E402 - after the path is set

_SEARCH = 'data-md-component="search" role="dialog"'
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'"
)
_PAGES: dict[str, pages.Page] = {}
"""Source path of a mkdocs page -> what goes into it; filled again at the start of every build."""


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
    return files


def on_nav(nav: Any, *, config: Any, files: Any) -> Any:
    """Write down what the catalog's pages link to: the first page of each entry of the navigation."""
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
    """Give generated pages their description, escaped, because the theme prints it as it is."""
    made = _PAGES.get(page.file.src_uri)
    if made:
        page.meta.setdefault("description", html.escape(made.description))
    return markdown


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


def on_post_page(output: str, *, page: Any, config: Any, **_: Any) -> str:
    """Fix the theme's page."""
    return _corrected(output, "../" * page.url.count("/"), Path(config.site_dir))


def on_post_template(output_content: str, *, template_name: str, config: Any, **_: Any) -> str:
    """Fix the theme's page for addresses that do not exist, and link it to the catalog."""
    if template_name != "404.html":
        return output_content
    root = f"{urlsplit(config.site_url or '').path.rstrip('/')}/"
    words = (
        "<h1>Page not found</h1>\n"
        "<p>It may have moved, or the address may be wrong. "
        f'Go to the <a href="{root}">catalog</a>, to <a href="{root}models/">all models</a> '
        f'or to <a href="{root}files/">all files</a>.</p>'
    )
    output = output_content.replace("<h1>404 - Not found</h1>", words)
    return _corrected(output, root, Path(config.site_dir))


def _corrected(output: str, root: str, folder: Path) -> str:
    """A page of the theme with corrected markup and a Content-Security-Policy.

    The theme's inline scripts become files of the site, so that the policy can refuse all others. Its search has no
    name for screen readers, and two of its attributes are where HTML does not allow them. Columns of a table are
    aligned by classes, because the policy refuses inline styles too."""
    output = output.replace(_SEARCH, f'{_SEARCH} aria-label="Search"').replace(' tabindex=""', "")
    output = re.sub(r'(<input [^>]*type="checkbox"[^>]*?) autocomplete="off"', r"\1", output)
    output = re.sub(r' style="text-align: (left|center|right);"', r' class="zoo-\1"', output)

    def moved(found: re.Match[str]) -> str:
        script = found[1].encode()
        path = f"assets/theme/{hashlib.sha256(script).hexdigest()[:16]}.js"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(script)
        return f'<script src="{root}{path}"></script>'

    output = re.sub(r"<script>(.*?)</script>", moved, output, flags=re.DOTALL)
    meta = f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    return output.replace('<meta charset="utf-8">', meta, 1)
