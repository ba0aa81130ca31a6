"""Versions that are withdrawn, and what to use instead."""

from __future__ import annotations

from catalog import yanks
from catalog.index import Catalog
from catalog.words import counted
from zoo.views import outline
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table


def screen(catalog: Catalog) -> Screen:
    """Every yank that holds now."""
    rows = []
    for model in catalog.models:
        for event in yanks.active(model):
            instead = yanks.replacement_now(catalog, event) or "nothing"
            cells = (f"{model.name}@{event.version}", event.date, event.severity or "", instead, event.reason)
            rows.append(Row(cells, ("catalog", model.name)))
    table = Table(("version", "since", "severity", "use instead", "reason"), rows, empty="No version is withdrawn.")
    words = f"{counted(len(rows), 'version')} withdrawn. Their files stay on the hub; no file of them is recommended."
    commands = ("zoo unyank NAME@VERSION --reason WHY",) if rows else ()
    return Screen("Withdrawn versions", (words, table) if rows else (table,), commands)


def look(asked: Asked) -> Screen:
    """The yanks of the catalog. Raises InputError for a broken one."""
    settings = asked.settings
    return screen(outline.models(settings, [one.name for one in outline.read(settings) if one.withdrawn]))
