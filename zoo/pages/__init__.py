"""The pages that are made from data: the catalog's, and the reference of the file formats. Pure.

``render`` turns a catalog into HTML fragments by path; ``recipe_reference``, ``schema_list`` and ``command_reference``
make those of the reference. Whoever calls them (the mkdocs hook in ``site/hooks.py``) puts a fragment into its frame.
Text from a catalog is escaped by the templates, and characters that are not seen are written out by ``text``.
"""

from __future__ import annotations

from catalog.index import Catalog
from zoo.pages.front import front_page
from zoo.pages.model import model_page
from zoo.pages.page import Page, TocEntry
from zoo.pages.reference import command_reference, recipe_reference, schema_list

__all__ = ["FRONT", "Page", "TocEntry", "command_reference", "recipe_reference", "render", "schema_list"]

FRONT = "index"
"""The path of the page that lists all models."""


def render(catalog: Catalog) -> dict[str, Page]:
    """Every catalog page by its path: ``index``, and ``models/NAME/`` for each model."""
    pages = {FRONT: front_page(catalog)}
    for model in catalog.models:
        pages[f"models/{model.name}/"] = model_page(model)
    return pages
