"""The pages that are made from data: the catalog's, and the reference of the file formats. Pure.

``KINDS`` are the kinds of catalog pages, a module each; ``make_each`` and ``make_whole`` run them for the builder of
the site (``zoo.site``), ``render`` makes every file in one call. ``recipe_reference``, ``schema_list`` and
``command_reference`` make fragments that the mkdocs hook (``site/hooks.py``) puts into the documents.
The templates escape text from a catalog, and ``text`` writes out invisible characters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from catalog.index import Catalog
from catalog.release import Model
from zoo.choose import pick
from zoo.site.pages import (
    about,
    boards,
    compare,
    datasets,
    evidence,
    feeds,
    front,
    model,
    offers,
    pictures,
    search,
    share,
    speeds,
    table,
    tryit,
)
from zoo.site.pages.feeds import joined, model_json
from zoo.site.pages.frame import header
from zoo.site.pages.kinds import Drift, Evidence, Facts, Files, Kind, Link, Made, Releases, Site
from zoo.site.pages.page import Page, TocEntry
from zoo.site.pages.reference import command_reference, recipe_reference, schema_list

__all__ = [
    "KINDS",
    "Drift",
    "Evidence",
    "Facts",
    "Files",
    "Link",
    "Made",
    "Page",
    "PathTaken",
    "Releases",
    "Site",
    "TocEntry",
    "command_reference",
    "header",
    "joined",
    "make_each",
    "make_whole",
    "model_json",
    "recipe_reference",
    "render",
    "schema_list",
]

KINDS: tuple[Kind, ...] = (
    model.KIND,
    datasets.KIND,
    evidence.KIND,
    compare.KIND,
    about.KIND,
    offers.KIND,
    front.KIND,
    boards.KIND,
    speeds.KIND,
    table.KIND,
    tryit.KIND,
    pictures.KIND,
    search.KIND,
    share.KIND,
    feeds.KIND,
)


class PathTaken(ValueError):
    """Two pages want the same path; the message names it."""


def make_each(model: Model, site: Site, evidence: Evidence) -> Made:
    """The files of one model from every kind, and its facts by kind."""
    files: dict[str, str | bytes] = {}
    facts: dict[str, object] = {}
    for kind in KINDS:
        if kind.each:
            made = kind.each(model, site, evidence)
            add(files, made.files)
            facts[kind.name] = made.facts
    return Made(files, facts)


def make_whole(facts: Sequence[Facts], site: Site, releases: Releases) -> dict[str, str | bytes]:
    """The files about all models, from the facts of each; ``releases`` loads the few that need a closer look."""
    files: dict[str, str | bytes] = {}
    for kind in KINDS:
        if kind.whole:
            needed = [{name: one[name] for name in kind.needs} for one in facts]
            add(files, kind.whole(needed, site, releases))
    return files


def render(
    catalog: Catalog, site: Site, evidence: Callable[[str, str, str], bytes | None]
) -> dict[str, str | bytes]:
    """Every file of the catalog's part of the site by its path. ``evidence`` takes (name, version, path)."""
    files: dict[str, str | bytes] = {}
    facts: list[Facts] = []
    for one in catalog.models:
        made = make_each(one, site, functools.partial(evidence, one.name))
        add(files, made.files)
        assert isinstance(made.facts, dict)
        facts.append(made.facts)
    current = {one.name: release for one in catalog.models if (release := pick.current(one))}
    add(files, make_whole(facts, site, current.__getitem__))
    add(files, {"catalog.json": joined(str(files[model_json(one.name)]) for one in catalog.models)})
    return files


def add(files: dict[str, str | bytes], more: Files) -> None:
    """Put ``more`` into ``files``. Raises PathTaken if a path already exists."""
    for path, content in more.items():
        if path in files:
            raise PathTaken(f"two pages have the same path {path}")
        files[path] = content
