"""The conversations that a teacher is trained on: every line of them, and what they share with what is measured on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

from catalog import dataplaces
from catalog.checks import CheckedRecipe
from catalog.problems import LIMIT, Problem
from catalog.recipe import CorpusFile, Recipe, TuneCorpus
from zoo.corpora import compare, taught
from zoo.corpora.check import File
from zoo.errors import InputError
from zoo.plan import foresight
from zoo.plan.corpuslimits import THRESHOLD, asked

_Named = tuple[tuple[str, str], ...]
"""Paths in the zoo, each with the digest of its file."""


def problems(checked: CheckedRecipe, root: Path) -> list[Problem]:
    """Lines that are not valid, with their places, else those that are nearly the same as what a model is measured on,
    if the recipe does not say why that is accepted. Raises OSError."""
    own = checked.recipe.tune.corpus if checked.recipe and checked.recipe.tune else None
    if checked.recipe is None or own is None or checked.problems:
        return []
    try:
        found = list(_lines(_named(checked, [*own.train, *own.heldout]), root))
        return found or ([] if own.overlap_accepted else _overlap(checked, checked.recipe, own, root))
    except InputError as error:
        return [checked.document.problem(dataplaces.TUNE, f"{error.where}: {error.what}", error.remedy)]


def refuse(checked: CheckedRecipe, root: Path) -> None:
    """Raises InputError for ``problems``."""
    foresight.refuse(checked.file, problems(checked, root), safe="Nothing was made.")


def _overlap(checked: CheckedRecipe, recipe: Recipe, own: TuneCorpus, root: Path) -> list[Problem]:
    """Questions like those that are asked when a model is measured, and anything like the text that is read then."""
    choices = tuple((choice.probe, choice.items, choice.seed) for choice in recipe.probes)
    train, heldout, prompts, texts = (
        _named(checked, files) for files in (own.train, own.heldout, recipe.corpus.heldout, recipe.corpus.evaluation)
    )
    found = [*_asked_twice(train, heldout, prompts, choices, root), *_read_twice(train, texts, root)]
    instead = f"Rewrite or delete it, or give the reason under {'.'.join(dataplaces.TUNE)}.overlap_accepted"
    return [dataclasses.replace(problem, instead=instead) for problem in found[:LIMIT]]


@functools.lru_cache(64)
def _lines(named: _Named, root: Path) -> Sequence[Problem]:
    return taught.problems([File(root / path, path) for path, _ in named], LIMIT)


@functools.lru_cache(64)
def _asked_twice(
    train: _Named, heldout: _Named, prompts: _Named, choices: tuple[tuple[str, int, int], ...], root: Path
) -> Sequence[Problem]:
    files, against = ([File(root / path, path, taught.questions) for path, _ in one] for one in (train, heldout))
    against += [File(root / path, path) for path, _ in prompts]
    return compare.compare(files, against, THRESHOLD, LIMIT, also=asked(choices)).problems


@functools.lru_cache(64)
def _read_twice(train: _Named, texts: _Named, root: Path) -> Sequence[Problem]:
    files = [File(root / path, path, taught.said) for path, _ in train]
    return compare.compare(files, [File(root / path, path) for path, _ in texts], THRESHOLD, LIMIT).problems


def _named(checked: CheckedRecipe, files: Sequence[CorpusFile]) -> _Named:
    return tuple((file.path, checked.files[file.path].sha256) for file in files)
