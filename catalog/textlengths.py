"""Texts that are certainly too short for what a recipe measures on them, whatever the tokenizer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from catalog.corpusfiles import FileFacts
from catalog.problems import Problem, show
from catalog.recipe import Recipe
from catalog.yamltext import Document

SPECIAL_TOKENS = 2
"""A tokenizer may put one before and one after a text."""
LEAST_WINDOWS = 2
"""A standard error requires two."""


def problems(document: Document, recipe: Recipe, files: Mapping[str, FileFacts]) -> Iterator[Problem]:
    """Every text without one window, else evaluation texts without two in all."""
    window = recipe.evaluate.window_tokens
    short = list(_short(document, recipe, files, "evaluation", window, "evaluate: window_tokens"))
    if recipe.quantize.imatrix is not False:
        part, key = recipe.quantize.imatrix_window_tokens, "quantize: imatrix_window_tokens"
        short += _short(document, recipe, files, "calibration", part, key)
    yield from short
    texts = recipe.corpus.evaluation
    room = sum(_most(files[one.path]) // window for one in texts)
    if texts and not short and room < LEAST_WINDOWS:
        what = (
            f"the evaluation texts fill at most {room} of {LEAST_WINDOWS} windows of {window:,} tokens; a standard "
            "error requires two"
        )
        yield document.problem(("corpus", "evaluation"), what, "Add text, or write a smaller evaluate: window_tokens")


def _short(
    document: Document, recipe: Recipe, files: Mapping[str, FileFacts], part: str, window: int, key: str
) -> Iterator[Problem]:
    for number, entry in enumerate(recipe.corpus.parts[part]):
        most = _most(files[entry.path])
        if most < window:
            what = f"{show(entry.path)} has at most {most:,} tokens, less than one window of {window:,}"
            yield document.problem(("corpus", part, number, "path"), what, f"Use a longer text, or set {key} lower")


def _most(file: FileFacts) -> int:
    return file.most_tokens + SPECIAL_TOKENS
