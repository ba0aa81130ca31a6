"""One file of all models in the catalog for a board, and the line of all sensible ones between fast and good. Pure.

Within a model, ``zoo.choose.pick`` decides; between models the tiers of ``zoo.choose.ranking``. A *good* file passed
the smoke test and has a KLD of at most LOSS_LIMIT. The answer is, of the best tier with a good file that leaves
room to spare and writes as fast as people read, the model with the fastest such file: models of a tier are equal, so
speed decides. If nothing is that fast, the fastest good file; then files that fit tightly; then those with a higher
KLD. A file that failed the smoke test is never the answer.
Experimental models, and models whose probes are no better than guessing, are never the answer.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from catalog import device as devices
from catalog import memory
from catalog.device import Device
from catalog.memory import KV_TYPE
from catalog.release import Release
from zoo.choose import candidates, saying
from zoo.choose.candidates import LOSS_LIMIT, Level, Wish
from zoo.choose.pick import Pick, Shelf, Standing
from zoo.choose.ranking import Entry, Merit, Ranked, Share, entry, merit, rank, standing_words

__all__ = [
    "LOSS_LIMIT",
    "Choice",
    "Entry",
    "Merit",
    "Offer",
    "Passed",
    "Question",
    "Ranked",
    "Share",
    "choose",
    "entry",
    "known",
    "line",
    "merit",
    "questions",
    "rank",
    "standing_words",
]

RUNNERS_UP = 3

FASTER = 1.25
"""How much faster a file of a lower tier must be to be a step of the line. Less is not worth a worse model; and a line
of hundreds of steps helps nobody."""

SPEEDS = (10.0, 20.0)
"""Minimum speeds in tokens per second that people ask for most, above reading speed."""


@functools.cache
def questions() -> tuple[tuple[Device, int], ...]:
    """The most common questions: device and context length."""
    return tuple(itertools.product(devices.DEVICES, memory.CONTEXTS))


_ASKED = tuple((device.id, context) for device, context in questions())


@dataclass(frozen=True)
class Question:
    """What somebody asks; None asks for anything. kv: the type of the cache."""

    device: Device
    context_tokens: int
    least_tokens_per_second: float | None = None
    task: str | None = None
    language: str | None = None
    kv: str = KV_TYPE

    @property
    def wish(self) -> Wish:
        """What is asked of one model."""
        return Wish(self.device, self.context_tokens, self.least_tokens_per_second, self.kv)


@dataclass(frozen=True)
class Offer:
    """A model and its recommended file; pick.file is never None."""

    ranked: Ranked
    pick: Pick


@dataclass(frozen=True)
class Passed:
    """A model that ranks higher than the answer and was skipped. pick is None if the context is too long for it."""

    ranked: Ranked
    reason: str
    pick: Pick | None


@dataclass(frozen=True)
class Choice:
    """The answer, or None with the reason. asked: models for that task and language. skipped: the models of better
    tiers than the answer's, or all if there is none. equal: models of its tier that have such a file, too."""

    question: Question
    answer: Offer | None
    reason: str
    runners_up: tuple[Offer, ...]
    skipped: tuple[Ranked, ...]
    asked: int
    equal: int = 0

    @functools.cached_property
    def passed(self) -> tuple[Passed, ...]:
        """Why models were skipped, the nearest miss first. It is worked out when it is needed."""
        judged = [(saying.miss(one, self.question.wish), Passed(one, *self._judge(one))) for one in self.skipped]
        return tuple(one for _, one in sorted(judged, key=lambda pair: pair[0]))

    def _judge(self, one: Ranked) -> tuple[str, Pick | None]:
        return saying.skipped(one, self.question.wish)


@dataclass(frozen=True)
class _Found:
    """Models that answer, the best first. level is None for files that are not good."""

    level: Level | None
    ordered: tuple[Ranked, ...]


def known(release: Release) -> list[list[float]]:
    """The standing of the release for each of ``questions()``; an empty one for a context that is too long."""
    shelf, longest = Shelf(release), release.architecture.context_tokens
    return [
        [*shelf.standing(Wish(device, context))] if context <= longest else [] for device, context in questions()
    ]


def recalled(found: Sequence[Sequence[float]]) -> Callable[[str, int], Standing | None]:
    """What ``known`` returned, by device and context length."""
    @functools.cache
    def standings() -> dict[tuple[str, int], Standing]:
        return dict(zip(_ASKED, map(_standing, found), strict=True))

    def look(device_id: str, context_tokens: int) -> Standing | None:
        return standings().get((device_id, context_tokens))

    return look


def _standing(found: Sequence[float]) -> Standing:
    if not found:
        return Standing(0.0, 0.0, False)
    roomy, fitting, poor, broken = found
    return Standing(roomy, fitting, bool(poor), bool(broken))


def choose(question: Question, ranked: Sequence[Ranked], runners_up: int = RUNNERS_UP) -> Choice:
    """The answer, the next ones, and what was skipped."""
    every = _matching(ranked, question)
    asked = [one for one in every if not one.entry.experimental]
    found = _find(question.wish, asked)
    if found is None:
        reason = saying.none(question.wish, saying.Aim(question.task, question.language), every)
        return Choice(question, None, reason, (), tuple(every), len(asked))
    first = found.ordered[0]
    offers = [Offer(one, one.entry.pick(question.wish)) for one in found.ordered[: runners_up + 1]]
    equal = sum(one.tier == first.tier for one in found.ordered) - 1
    skipped = tuple(one for one in asked if one.tier < first.tier and one not in found.ordered)
    aim = saying.Aim(question.task, question.language)
    said = saying.Answer(first, found.level, len(asked), equal if first.share else 0)
    reason = saying.answer(question.wish, aim, said)
    return Choice(question, offers[0], reason, tuple(offers[1:]), skipped, len(asked), equal)


def line(question: Question, ranked: Sequence[Ranked]) -> tuple[Offer, ...]:
    """The files between the fastest and the best, of all models: each is better than all before it and slower, those of
    lower tiers by FASTER. It has the answer of ``choose`` if that is a good file."""
    wish = replace(question.wish, least=None)
    asked = [one for one in _matching(ranked, question) if not one.entry.experimental]
    some = [(one, s) for one in asked if not one.at_chance and (s := one.entry.standing(wish)) and s.fitting]
    found: list[Offer] = []
    fastest = 0.0
    for _, tier in itertools.groupby(some, key=lambda pair: pair[0].tier):
        best, standing = min(tier, key=lambda pair: (-pair[1].roomy, -pair[1].fitting))
        enough = fastest * FASTER
        if standing.fitting < enough:
            continue
        for pick in best.entry.shelf.points(wish):
            assert pick.speed
            if pick.speed.typical >= enough:
                found.append(Offer(best, pick))
        fastest = max(fastest, *(offer.pick.speed.typical for offer in found if offer.pick.speed))
    answer = choose(replace(question, least_tokens_per_second=None), ranked, 0).answer
    if answer and answer.pick.file and candidates.is_good(answer.pick.file):
        found = _with_answer(found, answer)
    return tuple(reversed(found))


def _with_answer(found: Sequence[Offer], answer: Offer) -> list[Offer]:
    """The line with the answer in its place, by tier and speed; the default's own words replace those of the point."""

    def key(one: Offer) -> tuple[str, str]:
        assert one.pick.file
        return one.ranked.entry.name, one.pick.file.path

    if any(key(one) == key(answer) for one in found):
        return [answer if key(one) == key(answer) else one for one in found]

    def place(one: Offer) -> tuple[int, float]:
        assert one.pick.speed
        return one.ranked.tier, one.pick.speed.typical

    return sorted([*found, answer], key=place)


def matches(entry: Entry, question: Question) -> bool:
    """Whether a model is for the task and the language of the question."""
    return question.task in (None, entry.task) and (
        question.language is None or question.language in entry.languages
    )


def _matching(ranked: Sequence[Ranked], question: Question) -> Sequence[Ranked]:
    if question.task is None and question.language is None:
        return ranked
    return [one for one in ranked if matches(one.entry, question)]


def _find(wish: Wish, asked: Sequence[Ranked]) -> _Found | None:
    some = [(one, s) for one in asked if not one.at_chance and (s := one.entry.standing(wish))]
    for level in candidates.levels(wish):
        least = wish.quick if level.quick else candidates.ANY_SPEED
        which = Standing._fields.index("roomy" if level.roomy else "fitting")
        fit = [(one, speed) for one, s in some if (speed := s[which]) >= least]
        if level.quick:
            fit.sort(key=lambda pair: (pair[0].tier, -pair[1]))
        else:
            fit.sort(key=lambda pair: -pair[1])
        if fit:
            return _Found(level, tuple(one for one, _ in fit))
    poor = [one for one, s in some if s.poor and one.entry.pick(wish).file]
    return _Found(None, tuple(poor)) if poor else None
