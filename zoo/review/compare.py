"""What a contribution changes in recipes, from two folders: keys, plan and cost, sources. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog import yamltext
from catalog.checks import check_recipe
from catalog.jsontext import Json
from catalog.problems import show
from catalog.recipe import Recipe
from catalog.words import counted
from zoo.errors import ZooError
from zoo.plan import prepare
from zoo.review import brought
from zoo.review.trees import Change

_LONGEST = 250
"""Characters of a value."""


@dataclass(frozen=True)
class RecipeChange:
    """A recipe that was added or changed. keys: ``path: old -> new`` of every value that differs. plan: steps and costs
    as sentences. sources: where weights and corpora come from, with licences."""

    path: str
    how: str
    keys: tuple[str, ...]
    plan: tuple[str, ...]
    sources: tuple[str, ...]


def recipe_change(change: Change, base: Path, head: Path, is_sound: bool) -> RecipeChange:
    """The difference of a recipe. is_sound: whether it has no problem, so that it can be planned."""
    keys = tuple(_keys(_flat(base / change.path), _flat(head / change.path)))
    if change.how == "deleted":
        return RecipeChange(change.path, change.how, keys, (), ())
    plan = tuple(_plan(head, change.path)) if is_sound else ()
    recipe = check_recipe(head / change.path, head).recipe
    return RecipeChange(change.path, change.how, keys, plan, tuple(_sources(recipe)))


def licences(base: Path, head: Path, recipes: Sequence[str]) -> Iterator[str]:
    """Corpus files and sources whose licence in a recipe changed."""
    for path in recipes:
        old, new = (_flat(folder / path) for folder in (base, head))
        for key, value in old.items():
            if key.rpartition(".")[2] == "licence" and key in new and new[key] != value:
                yield f"{path}: the licence {key} changed from {show(value)} to {show(new[key])}"


def _plan(head: Path, path: str) -> Iterator[str]:
    try:
        planned = prepare.make_plan(str(head / path), brought.settings_of(head))
    except (ZooError, OSError) as error:
        yield f"could not be planned here: {str(error).replace(str(head), '.')}"
        return
    yield f"{counted(planned.costs.steps, 'step')}, {prepare.needs(planned.costs)}"
    yield from planned.costs.work


def _sources(recipe: Recipe | None) -> Iterator[str]:
    if recipe is None:
        return
    yield f"release: {recipe.licence}"
    for role, source in (("student", recipe.student), ("teacher", recipe.teacher)):
        if source:
            upstream = f", from {source.upstream}" if source.upstream else ""
            yield f"{role}: {source.source}, {source.licence}{upstream}"
    for part, files in recipe.data.items():
        for file in files:
            yield f"{part}: {file.path}, {file.licence}, {file.source}"


def _keys(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            yield f"{key}: {_text(new[key])} (new)"
        elif key not in new:
            yield f"{key}: {_text(old[key])} (removed)"
        elif old[key] != new[key]:
            yield f"{key}: {_text(old[key])} -> {_text(new[key])}"


def _text(value: Json) -> str:
    """As long as a reviewer has to read it: what a model is good and bad at, and where a text comes from."""
    return show(value, _LONGEST)


def _flat(path: Path) -> dict[str, Json]:
    """Every value of a recipe by its dotted path; empty for what cannot be read."""
    if not path.is_file():
        return {}
    found: dict[str, Json] = {}

    def walk(value: Json, place: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{place}.{key}" if place else key)
        elif isinstance(value, list) and value:
            for at, inner in enumerate(value):
                walk(inner, f"{place}[{at}]")
        else:
            found[place] = value

    walk(yamltext.read(path, path.name).data, "")
    return found
