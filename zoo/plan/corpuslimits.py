"""What a recipe asks of its prompts as a whole: shares, and nothing in training that the model is measured on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from catalog import shell
from catalog.checks import CheckedRecipe
from catalog.problems import Problem
from catalog.recipe import CorpusFile, Recipe, Share
from catalog.words import counted
from zoo.corpora import compare, describe
from zoo.corpora.check import File
from zoo.corpora.describe import Described, Limit
from zoo.errors import InputError
from zoo.judge import probes
from zoo.plan import foresight

THRESHOLD = 0.8
"""Jaccard index from which two texts are nearly the same, as for `zoo corpus overlap`."""


_Named = tuple[tuple[str, str], ...]
"""Paths in the zoo, each with the digest of its file."""


def problems(checked: CheckedRecipe, root: Path) -> list[Problem]:
    """Shares that are not met, and training prompts that overlap what the model is measured on, if the recipe does not
    say why that is accepted. Raises OSError."""
    recipe = checked.recipe
    if recipe is None or not recipe.corpus.train or checked.problems:
        return []
    try:
        return [*_shares(checked, recipe, root), *_overlap(checked, recipe, root)]
    except InputError as error:
        return [checked.document.problem(("corpus",), f"{error.where}: {error.what}", error.remedy)]


def refuse(checked: CheckedRecipe, root: Path) -> None:
    """Raises InputError for ``problems``."""
    foresight.refuse(checked.file, problems(checked, root), safe="Nothing was made.")


def limits(share: Share) -> Iterator[Limit]:
    """What a share of a recipe asks for; an exact number, as it is written."""
    group, _, label = share.share.partition(":")
    if share.at_least is not None:
        yield Limit(group, label, Fraction(str(share.at_least)))
    if share.at_most is not None:
        yield Limit(group, label, Fraction(str(share.at_most)), is_most=True)


def looked_at(checked: CheckedRecipe, root: Path) -> tuple[Described, list[Problem]]:
    """What the prompts of a recipe without problems are, and the shares that are not met. Raises InputError; OSError.
    """
    assert checked.recipe
    corpus = checked.recipe.corpus
    found = describe.describe(_files([*corpus.train, *corpus.heldout], root))
    return found, list(_missed(checked, checked.recipe, found))


def _shares(checked: CheckedRecipe, recipe: Recipe, root: Path) -> list[Problem]:
    return looked_at(checked, root)[1] if recipe.corpus.coverage else []


def _missed(checked: CheckedRecipe, recipe: Recipe, found: Described) -> Iterator[Problem]:
    for number, share in enumerate(recipe.corpus.coverage):
        for miss in () if share.waived else describe.misses(found, limits(share)):
            instead = f"{miss.remedy}, or give the reason under waived"
            yield checked.document.problem(("corpus", "coverage", number), miss.what, instead)


def _overlap(checked: CheckedRecipe, recipe: Recipe, root: Path) -> Iterator[Problem]:
    corpus = recipe.corpus
    if corpus.overlap_accepted:
        return
    measured = [*corpus.heldout, *corpus.evaluation]
    both = (corpus.train, measured)
    train, against = (tuple((file.path, checked.files[file.path].sha256) for file in files) for files in both)
    choices = tuple((choice.probe, choice.items, choice.seed) for choice in recipe.probes)
    found = _compared(train, against, choices, root)
    for first in found.problems:
        count = f"{counted(found.found, 'training prompt')} nearly the same as what the model is measured on, or with "
        words = ["zoo corpus overlap", *(shell.argument(file.path) for file in corpus.train)]
        words += [f"--against {shell.argument(file.path)}" for file in measured]
        what = f"{count}eight words of it; the first, {first.file}:{first.line}, is {first.what}"
        instead = f"Rewrite them (all: {' '.join(words)}), or give the reason under corpus.overlap_accepted"
        yield checked.document.problem(("corpus", "train"), what, instead)


@functools.lru_cache(256)
def _compared(
    train: _Named, measured: _Named, choices: tuple[tuple[str, int, int], ...], root: Path
) -> compare.Compared:
    """Compared once for all recipes with the same files: many recipes share a corpus, and this is most of a check."""
    files, against = ([File(root / path, path) for path, _ in named] for named in (train, measured))
    return compare.compare(files, against, THRESHOLD, 1, also=asked(choices))


def asked(choices: Sequence[tuple[str, int, int]]) -> dict[str, Sequence[str]]:
    """What probes ask, by their names in words. choices: probe, items and seed."""
    return {f"the probe {probe}": _asked(probe, items, seed) for probe, items, seed in choices}


def _asked(probe: str, items: int, seed: int) -> Sequence[str]:
    made = probes.make(probe, items, seed)
    return [*(question.prompt for question in made.questions), *(pair.good for pair in made.pairs)]


def _files(files: Sequence[CorpusFile], root: Path) -> list[File]:
    return [File(root / file.path, file.path) for file in files]
