"""mkdocs hooks: put the catalog's pages and files into the site. All HTML is made by ``zoo.pages``.

The catalog is ZOO_SITE_CATALOG, or ``model_catalog.json`` beside ``mkdocs.yml``; evidence files are below
ZOO_SITE_EVIDENCE, or ``site/evidence``. `zoo site build` sets both variables.
"""

from __future__ import annotations

import hashlib
import html
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.structure.toc import AnchorLink, TableOfContents

HERE = Path(__file__).resolve().parent
if (HERE.parent / "zoo" / "pages").is_dir():
    # In the repository `mkdocs build` works without installing the project.
    sys.path.insert(0, str(HERE.parent))

from catalog import index, paths, schema  # noqa: E402 - after the path is set
from zoo import pages  # noqa: E402 - after the path is set
from zoo.cli import reference  # noqa: E402 - after the path is set
from zoo.pages.links import evidence_path  # noqa: E402 - after the path is set

log = logging.getLogger("mkdocs.plugins.zoo")
_PAGES: dict[str, pages.Page] = {}
"""Source path of a mkdocs page -> what goes into it; filled anew at the start of every build."""


def on_files(files: Any, *, config: Any) -> Any:
    """Add a source file for every model page, and the static files that pages link to."""
    catalog_file = _place("ZOO_SITE_CATALOG", "model_catalog.json", config)
    catalog = _read(catalog_file)
    _PAGES.clear()
    for path, page in pages.render(catalog).items():
        source = f"{path}index.md" if path.endswith("/") else f"{path}.md"
        _PAGES[source] = page
        if files.get_file_from_path(source) is None:
            files.append(File.generated(config, source, content=""))
    schemas = {name: schema.load(name) for name in schema.names()}
    _PAGES["reference/recipe.md"] = pages.recipe_reference(schemas["recipe-v1"])
    _PAGES["reference/schemas.md"] = pages.schema_list(schemas, "../../")
    _PAGES["reference/commands.md"] = pages.command_reference(reference.describe())
    evidence = _place("ZOO_SITE_EVIDENCE", "site/evidence", config)
    for target, source_file in _static(catalog, catalog_file, evidence):
        files.append(File.generated(config, target, abs_src_path=str(source_file)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Give made pages their title and description, escaped, because the theme prints both as they are."""
    made = _PAGES.get(page.file.src_uri)
    if made and page.file.generated_by:
        page.meta |= {"title": html.escape(made.title), "hide": ["navigation"]}
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


def _headings(toc: Any) -> list[Any]:
    """The entries below a page's own title."""
    return [child for item in toc for child in (item.children if item.level == 1 else [item])]


def _place(variable: str, default: str, config: Any) -> Path:
    beside = Path(config.config_file_path).parent
    return beside / (os.environ.get(variable) or default)


def _read(path: Path) -> index.Catalog:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"the catalog {path.name} cannot be read: {error}") from error
    catalog, problems = index.parse(text, path.name)
    if problems:
        raise PluginError("\n".join(["the catalog is not sound:", *map(str, problems)]))
    return catalog


def _static(catalog: index.Catalog, catalog_file: Path, evidence: Path) -> Iterator[tuple[str, Path]]:
    """(path on the site, file) of everything that is copied as it is."""
    yield "model_catalog.json", catalog_file
    for name in schema.names():
        yield f"schemas/{name}.schema.json", schema.FOLDER / f"{name}.schema.json"
    for path in sorted((HERE / "assets").iterdir()):
        yield f"assets/{path.name}", path
    for model in catalog.models:
        for release in model.releases:
            yield from _evidence(model.name, release, evidence)


def _evidence(name: str, release: Any, folder: Path) -> Iterator[tuple[str, Path]]:
    """Only what the catalog lists, and only if it still is what the catalog says."""
    for file in release.evidence:
        source = folder / name / release.version / file.path
        place = f"evidence {name}/{release.version}/{file.path}"
        if paths.unsafe_reason(file.path) or not source.is_file() or source.is_symlink():
            log.warning(f"{place} is listed in the catalog but is not there")
        elif hashlib.sha256(source.read_bytes()).hexdigest() != file.sha256:
            log.warning(f"{place} is not the file that the catalog lists (another sha256)")
        else:
            yield evidence_path(name, release.version, file.path), source
