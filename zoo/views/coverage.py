"""What the prompts of a recipe are, and whether they have the shares that the recipe asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from catalog import shell
from catalog.checks import check_recipe
from catalog.problems import Problem
from catalog.recipe import Recipe, Share
from catalog.words import counted
from zoo.corpora import describe
from zoo.corpora.describe import GROUPS, Described, Limit
from zoo.errors import InputError
from zoo.plan import corpuslimits, prepare
from zoo.views.asked import Asked
from zoo.views.screen import Row, Screen, Table

BAR = 20
"""Columns of the bar of a share of 100 %."""
MOST_LABELS = 12
"""Of a group that are shown, besides those that the recipe has a limit for."""


def screen(recipe: Recipe, found: Described, problems: Sequence[Problem]) -> Screen:
    """Limits first, with how far each is met, then every share. problems: of the check that a release makes."""
    shares = recipe.corpus.coverage
    limits = [row for share in shares for limit in corpuslimits.limits(share) for row in _limit(limit, share, found)]
    words = [f"{counted(found.records, 'prompt')} of train and heldout together."]
    words += [f"NOT MET: {problem.what}.\n  Fix: {problem.instead}." for problem in problems]
    if problems:
        words.append("Nothing is made from this recipe until this is fixed.")
    rows = [row for group in GROUPS for row in _shares(group, found, shares)]
    tables = (
        Table(("share", "limit", "#has", "result"), limits, empty="The recipe asks for no shares (corpus.coverage)."),
        Table(("group", "label", "#prompts", "#share", "0 to 100 %, | is a limit"), rows),
    )
    files = " ".join(shell.argument(file.path) for file in (*recipe.corpus.train, *recipe.corpus.heldout))
    commands = (f"zoo corpus describe {files}", f"zoo ui recipe {recipe.name}", f"zoo plan {recipe.name}")
    return Screen(f"Coverage of {recipe.name}", ("\n".join(words), *tables), commands)


def _limit(limit: Limit, share: Share, found: Described) -> Iterator[Row]:
    missed = [f"NOT MET: {miss.remedy}" for miss in describe.misses(found, (limit,))]
    result = f"waived: {share.waived}" if share.waived else missed[0] if missed else "met"
    asked = f"at {'most' if limit.is_most else 'least'} {describe.percent(float(limit.share))}"
    has = describe.percent(found.share(limit.group, limit.label))
    yield Row((f"{limit.group}:{limit.label}", asked, has, result))


def _shares(group: str, found: Described, shares: Sequence[Share]) -> Iterator[Row]:
    named = {share.share: share for share in shares}
    for place, (label, count) in enumerate(describe.ordered(found.groups[group])):
        share = named.get(f"{group}:{label}")
        if place < MOST_LABELS or share:
            part = count / found.records
            marks = [limit for limit in (share.at_least, share.at_most) if limit is not None] if share else []
            yield Row((group, label, f"{count:,}", describe.percent(part), bar(part, marks)))


def bar(share: float, marks: Sequence[float] = ()) -> str:
    """A bar for a share, with a line at each limit."""
    cells = ["█" if place < round(share * BAR) else "·" for place in range(BAR)]
    for mark in marks:
        cells[min(int(mark * BAR), BAR - 1)] = "|"
    return "".join(cells)


def look(asked: Asked) -> Screen:
    """The prompts of a recipe. Raises InputError for a recipe with problems, and for one without prompts."""
    path = prepare.find_recipe(asked.name, asked.settings)
    checked = check_recipe(path, asked.settings.root)
    recipe = checked.recipe
    if recipe is None:
        raise InputError("\n".join(map(str, checked.problems)), remedy=f"See: zoo ui recipe {asked.name}")
    if not recipe.corpus.train:
        raise InputError(f"{recipe.name} has no prompts under corpus.train", remedy=f"See: zoo ui recipe {recipe.name}")
    found, problems = corpuslimits.looked_at(checked, asked.settings.root)
    return screen(recipe, found, problems)
