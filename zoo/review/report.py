"""The report of a contribution: one Markdown text, the same bytes for the same commits.

Everything that a contributor wrote is in blocks of code, in which nothing is a link, a mention, an image or HTML. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.problems import Problem
from catalog.unseen import visible
from catalog.words import counted
from zoo.review.compare import RecipeChange
from zoo.review.corpora import CorpusChange
from zoo.review.lines import cut, fenced
from zoo.review.trees import Change

if TYPE_CHECKING:
    # It imports what draws pictures and finds personal data, which a report needs only if it is asked for cards.
    from zoo.review.cards import Card

MOST_BYTES = 60_000
_BLOCK_BYTES = 5_000
_LONGEST = 300
REVIEW_DAYS, SECOND_DAYS = 7, 14
"""As CONTRIBUTING promises: a first answer, and a second maintainer."""

HUMAN = (
    "The licence of every source allows this release.",
    "`good_at` and `bad_at` say what the model is really good and bad at.",
    "The corpora contain nothing private, and may be redistributed.",
    "The costs of the plan are worth it.",
    "The gates bound what people would notice.",
)
"""What only a person can judge."""


@dataclass(frozen=True)
class Contribution:
    """What differs between two commits. links: paths that are links. found: by zoo check, in what changed and in what
    that broke. worse: what got worse in licences, reports and digests, as sentences. cards: None if not asked for.
    hints: allowed, but worth a look."""

    base: str
    head: str
    changes: tuple[Change, ...]
    links: tuple[str, ...]
    recipes: tuple[RecipeChange, ...]
    corpora: tuple[CorpusChange, ...]
    found: tuple[Problem, ...]
    worse: tuple[str, ...]
    command: str
    cards: tuple[Card, ...] | None = None
    hints: tuple[Problem, ...] = ()

    @property
    def problems(self) -> list[str]:
        """What zoo check finds in the changed files, and links."""
        of_cards = [problem for card in self.cards or () for problem in card.problems]
        return [
            *map(str, dict.fromkeys((*self.found, *of_cards))),
            *(f"{path}: the file is a link. Put the file itself there." for path in self.links),
        ]

    @property
    def regressions(self) -> list[str]:
        """What got worse in the data."""
        blocks = [f"{one.path}: {block}" for one in self.corpora for block in one.blocks]
        return [*blocks, *self.worse]

    @property
    def passes(self) -> bool:
        return not self.problems and not self.regressions


def report(found: Contribution) -> str:
    """The report, at most MOST_BYTES."""
    outside = [one.path for one in found.changes if not one.path.startswith("recipes/")]
    parts = ["## Review\n", _who_is_next(found), "### Checked by the program\n"]
    parts.append(_ticks(found, outside))
    for title, lines in (
        ("Problems", found.problems),
        ("What got worse in the data", found.regressions),
        ("Worth a look", [str(one) for one in found.hints]),
        ("Changed files outside of recipes", outside),
        ("Other changed files", _others(found, outside)),
    ):
        parts += _section(title, lines, found.command)
    for recipe in found.recipes:
        parts += _section(f"Recipe, {recipe.how}", [recipe.path], found.command)
        inner = {"Keys": recipe.keys, "Plan": recipe.plan, "Sources and licences": recipe.sources}
        for title, some in inner.items():
            parts += _section(title, some, found.command, level="####")
    for corpus in found.corpora:
        parts += _section(f"File of records, {corpus.how}", [corpus.path, *corpus.facts], found.command)
    parts += _section("Dataset cards", [card.fact for card in found.cards or ()], found.command)
    parts.append("### For a maintainer\n\n" + "".join(f"- [ ] {item}\n" for item in HUMAN))
    return _bounded(parts, found.command)


def _others(found: Contribution, outside: Sequence[str]) -> list[str]:
    """Files of recipes that no section is about, such as texts and locks."""
    known = {*outside, *found.links, *(one.path for one in found.recipes), *(one.path for one in found.corpora)}
    return [f"{one.path}, {one.how}" for one in found.changes if one.path not in known]


def _who_is_next(found: Contribution) -> str:
    if found.passes:
        second = f"After {SECOND_DAYS} days without an answer, ask for a second one."
        return f"**Next: a maintainer**, within {REVIEW_DAYS} days. {second}\n"
    return "**Next: the author.** Fix what is listed here, and push again. No maintainer is asked before.\n"


def _ticks(found: Contribution, outside: Sequence[str]) -> str:
    broken, worse = len(found.problems), len(found.regressions)
    items = [
        (not broken, "`zoo check` finds no problem in the changed files", counted(broken, "problem")),
        (not worse, "nothing got worse in corpora, licences and digests", counted(worse, "regression")),
        (len(found.recipes) <= 1, "at most one recipe", counted(len(found.recipes), "recipe")),
        (not outside, "only files below `recipes/`", counted(len(outside), "other file")),
    ]
    if found.cards is not None:
        bad = sum(bool(card.problems) for card in found.cards)
        items.append((not bad, "every corpus has a valid dataset card", f"{bad} without"))
    return "".join(
        f"- [{'x' if good else ' '}] {words}{'' if good else f' ({bad})'}\n" for good, words, bad in items
    )


def _section(title: str, lines: Sequence[str], command: str, level: str = "###") -> list[str]:
    if not lines:
        return []
    shown = [visible(line) for line in lines]
    short = [line if len(line) <= _LONGEST else f"{line[: _LONGEST - 4]} ..." for line in shown]
    return [f"{level} {title}\n", fenced(cut(short, _BLOCK_BYTES, command))]


def _bounded(parts: Sequence[str], command: str) -> str:
    kept: list[str] = []
    used = 0
    for part in parts:
        used += len(part.encode()) + 1
        if used > MOST_BYTES - 500:
            kept.append(f"The report is too long, so it ends here. To see all of it:\n\n{fenced([command])}")
            break
        kept.append(part)
    return "\n".join(kept)
