"""Every view: what it shows, and the function that looks. A new view gets a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.problems import instead_of
from zoo import extras
from zoo.errors import InputError
from zoo.views import runs
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


def _later(module: str, name: str = "look") -> Callable[[Asked], Screen]:
    """The function of a module of this room, which is imported when it is called: some read models, and the first
    picture of the terminal program must not wait for them."""

    def act(asked: Asked) -> Screen:
        found: Callable[[Asked], Screen] = getattr(extras.load(f"{__package__}.{module}"), name)
        return found(asked)

    return act


def _stamp_later(module: str, name: str = "stamp") -> Callable[[Asked], object]:
    """The same for a stamp."""

    def act(asked: Asked) -> object:
        found: Callable[[Asked], object] = getattr(extras.load(f"{__package__}.{module}"), name)
        return found(asked)

    return act


VIEWS: Mapping[str, View] = {
    "runs": View("what runs, what is over, and what died", runs.look, stamp=runs.stamp),
    "run": View("one run with its steps", runs.look_at_one, "[ID]", runs.stamp),
    "log": View("the newest lines of a run", runs.look_at_log, "[ID]", runs.stamp),
    "plan": View("what a recipe would run, and what it costs", _later("plans"), "RECIPE"),
    "gates": View("the gates of a built release, with their margins", _later("gates"), "NAME"),
    "publication": View(
        "what is visible of a release, and whether stopping is safe", _later("publication"), "[NAME]",
        _stamp_later("publication"),
    ),
    "coverage": View("shares of a recipe's prompts, and the shares that it asks for", _later("coverage"), "RECIPE"),
    "history": View("how fast a model was over time", _later("speed"), "NAME"),
    "catalog": View("models, and the file for a board", _later("models"), "[NAME]"),
    "machine": View("disk and memory, and what can be deleted", _later("machine")),
    "drift": View("files and published versions that differ from the record", _later("drift")),
    "yanks": View("versions that are withdrawn", _later("withdrawn")),
    "recipe": View(
        "every field of a recipe, to change it", _later("fields", "look_at_recipe"), "[RECIPE]",
        _stamp_later("fields", "recipe_stamp"),
    ),
    "form": View("every field of a command, to start or copy it", _later("fields"), "[COMMAND]"),
}  # fmt: skip


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
