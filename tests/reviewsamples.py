"""A contribution with every section that a report may have."""

from __future__ import annotations

from catalog.problems import Problem
from zoo.review.cards import Card
from zoo.review.compare import RecipeChange
from zoo.review.corpora import CorpusChange
from zoo.review.report import Contribution
from zoo.review.trees import Change

HOSTILE = "</code><img src=https://x.example/b.png> @someone ``` ```` ![a](https://x.example) \u202e\x1b[2J # H"
COMMIT = "3d" * 20


def contribution(*worse: str, words: str = "words", many: int = 1) -> Contribution:
    """words: every text of its author. many: recipes. worse: what blocks it."""
    recipe = RecipeChange(f"recipes/{words}.yaml", "added", (words,), (words,), (words,))
    corpus = CorpusChange(f"recipes/corpora/{words}.jsonl", "changed", (words,), ())
    changes = (Change(f"{words}.md", "added"), Change(f"recipes/corpora/{words}.txt", "changed"))
    cards = (Card(f"recipes/corpora/{words}", words, {}, ()),)
    return Contribution(
        "b" * 40, COMMIT, changes, (), (recipe,) * many, (corpus,), (), worse, "zoo review main..HEAD", cards,
        (Problem(words, 1, 1, words, words, words),),
    )
