"""Every view: what it shows, and the function that looks. A new view gets a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.problems import instead_of
from zoo.errors import InputError
from zoo.views import (
    coverage,
    drift,
    fields,
    gates,
    machine,
    models,
    plans,
    publication,
    runs,
    speed,
    withdrawn,
)
from zoo.views.asked import Asked
from zoo.views.screen import Screen


@dataclass(frozen=True)
class View:
    """words: what it shows. name: what its name is, in the words of usage lines, in brackets if it may be left out;
    empty if it has none. stamp: a value that is quick to make and changes when the view does; None for a view that is
    not read again by itself."""

    words: str
    look: Callable[[Asked], Screen]
    name: str = ""
    stamp: Callable[[Asked], object] | None = None


VIEWS: Mapping[str, View] = {
    "runs": View("what runs, what is over, and what died", runs.look, stamp=runs.stamp),
    "run": View("one run with its steps", runs.look_at_one, "[ID]", runs.stamp),
    "log": View("the newest lines of a run", runs.look_at_log, "[ID]", runs.stamp),
    "plan": View("what a recipe would run, and what it costs", plans.look, "RECIPE"),
    "gates": View("the gates of a built release, with their margins", gates.look, "NAME"),
    "publication": View(
        "what is visible of a release, and whether stopping is safe", publication.look, "[NAME]", publication.stamp
    ),
    "coverage": View("shares of a recipe's prompts, and the shares that it asks for", coverage.look, "RECIPE"),
    "history": View("how fast a model was over time", speed.look, "NAME"),
    "catalog": View("models, and the file for a board", models.look, "[NAME]"),
    "machine": View("disk and memory, and what can be deleted", machine.look),
    "drift": View("files and published versions that differ from the record", drift.look),
    "yanks": View("versions that are withdrawn", withdrawn.look),
    "recipe": View("every field of a recipe, to change it", fields.look_at_recipe, "[RECIPE]", fields.recipe_stamp),
    "form": View("every field of a command, to start or copy it", fields.look, "[COMMAND]"),
}


def look(view: str, asked: Asked) -> Screen:
    """The screen of a view. Raises InputError for an unknown view, for a name that is missing or not wanted, and what
    the view raises."""
    row = VIEWS.get(view)
    if row is None:
        raise InputError(f"view {view!r} was not found", remedy=instead_of(view, VIEWS))
    if row.name and not row.name.startswith("[") and not asked.name:
        raise InputError(f"the view {view} needs a name", remedy=f"Write: zoo ui {view} {row.name}")
    if asked.name and not row.name:
        raise InputError(f"the view {view} takes no name", remedy=f"Write: zoo ui {view}")
    return row.look(asked)
