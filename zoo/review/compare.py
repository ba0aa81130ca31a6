"""What a contribution changes, from two folders: keys of recipes, rows of corpora, plan and cost, sources. Pure but for
reading the two folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog import corpora, plainfiles, yamltext
from catalog.checks import check_recipe
from catalog.jsontext import Json
from catalog.problems import Problem, show
from catalog.recipe import Recipe
from catalog.words import counted
from zoo import settings as settings_room
from zoo.corpora.prompts import Prompt, parse_prompts
from zoo.errors import ZooError
from zoo.plan import foresight, prepare
from zoo.review.trees import Change

MOST_SHARE = 0.6
"""Of the records of a prompt file that one topic may have."""

FALL = 0.95
"""A dialect keeps at least this part of its share: a record more of another language is harmless."""


@dataclass(frozen=True)
class RecipeChange:
    """A recipe that was added or changed. keys: ``path: old -> new`` of every value that differs. plan: steps and costs
    as sentences. sources: where weights and corpora come from, with licences."""

    path: str
    how: str
    problems: tuple[Problem, ...]
    keys: tuple[str, ...]
    plan: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class CorpusChange:
    """A prompt file that differs. facts: its counts. blocks: what a maintainer must not merge without a reason."""

    path: str
    how: str
    problems: tuple[Problem, ...]
    facts: tuple[str, ...]
    blocks: tuple[str, ...]


def recipe_change(change: Change, base: Path, head: Path) -> RecipeChange:
    """The difference of a recipe."""
    keys = tuple(_keys(_flat(base / change.path), _flat(head / change.path)))
    if change.how == "deleted":
        return RecipeChange(change.path, change.how, (), keys, (), ())
    checked = check_recipe(head / change.path, head)
    problems = (*checked.problems, *foresight.problems(checked, head))
    plan = tuple(_plan(head, change.path)) if not problems else ()
    return RecipeChange(change.path, change.how, problems, keys, plan, tuple(_sources(checked.recipe)))


def corpus_change(change: Change, base: Path, head: Path) -> CorpusChange:
    """The difference of a prompt file, with what got worse."""
    before, _ = _rows(base / change.path, change.path)
    after, problems = _rows(head / change.path, change.path)
    facts = (f"{counted(len(before), 'record')} before, {len(after)} after",)
    return CorpusChange(change.path, change.how, tuple(problems), facts, tuple(_worse(before, after)))


def licences(base: Path, head: Path, recipes: Sequence[str]) -> Iterator[str]:
    """Corpus files and sources whose licence in a recipe changed."""
    for path in recipes:
        old, new = (_flat(folder / path) for folder in (base, head))
        for key, value in old.items():
            if key.rpartition(".")[2] == "licence" and key in new and new[key] != value:
                yield f"{path}: the licence {key} changed from {show(value)} to {show(new[key])}"


def broken(base: Path, head: Path, changed: Collection[str]) -> Iterator[Problem]:
    """Problems of recipes that did not change, such as a prompt that is now in their training and their test files.
    What was a problem before is left out."""
    for path in sorted((head / "recipes").glob("*.y*ml")):
        shown = path.relative_to(head).as_posix()
        if shown not in changed and not shown.endswith(".lock.yaml"):
            before = {(one.path, one.what) for one in check_recipe(base / shown, base).problems}
            yield from (
                one for one in check_recipe(path, head).problems if (one.path, one.what) not in before
            )


def _worse(before: Sequence[Prompt], after: Sequence[Prompt]) -> Iterator[str]:
    if len(after) < len(before):
        yield f"{counted(len(before) - len(after), 'record')} fewer than before"
    copies = [count for count in Counter(map(_key, after)).values() if count > 1]
    if copies:
        yield f"{counted(sum(copies) - len(copies), 'record')} repeated"
    old, new = (Counter(tag for row in rows for tag in row.get("tags", [])) for rows in (before, after))
    for tag in sorted(old):
        kind = tag.partition(":")[0]
        if kind == "lang" and not new[tag]:
            yield f"no record of {tag} any more"
        elif kind == "dialect" and after and new[tag] * len(before) < FALL * old[tag] * len(after):
            yield f"the share of {tag} falls from {_share(old[tag], before)} to {_share(new[tag], after)}"
    for tag, count in sorted(new.items()):
        share, earlier = count / len(after), old[tag] / len(before) if before else 0.0
        if tag.startswith("topic:") and share > MOST_SHARE and share > earlier:
            yield f"{tag} has {_share(count, after)} of the records, more than {MOST_SHARE * 100:.0f} %"


def _share(count: int, rows: Sequence[Prompt]) -> str:
    return f"{100 * count / len(rows):.0f} %"


def _rows(path: Path, shown: str) -> tuple[list[Prompt], list[Problem]]:
    try:
        raw = plainfiles.read_bounded(path, plainfiles.MOST_CORPUS_BYTES) if path.is_file() else b""
    except OSError as error:
        return [], [
            Problem(shown, 1, 1, "", f"the file cannot be read ({error.strerror})", "Look at the file")
        ]
    return parse_prompts(raw, shown) if raw else ([], [])


def _key(row: Prompt) -> str:
    return corpora.prompt_key(row["user"], row.get("system_hint"))


def _plan(head: Path, path: str) -> Iterator[str]:
    try:
        planned = prepare.make_plan(str(head / path), settings_room.load(head, {}, {}))
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
    for part, files in recipe.corpus.parts.items():
        for file in files:
            yield f"{part}: {file.path}, {file.licence}, {file.source}"


def _keys(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            yield f"{key}: {show(new[key])} (new)"
        elif key not in new:
            yield f"{key}: {show(old[key])} (removed)"
        elif old[key] != new[key]:
            yield f"{key}: {show(old[key])} -> {show(new[key])}"


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
