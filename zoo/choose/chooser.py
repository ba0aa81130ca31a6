"""One file of all models in the catalog for a board. Pure.

Within a model, ``zoo.choose.pick`` decides. Losses of different models cannot be compared, because each is measured
against another reference. So the models are ranked in an order that does not depend on the board:

1. Models that took the catalog's usual task probes, by the share of right answers; then models that did not. The usual
   probes are the set that most models took, in the language of the question.
2. Models with more parameters first.
3. With the same number of parameters, vocabulary and evaluation text: lower perplexity first.
4. The name.

The answer is the first model in that order with a file that fits, is fast enough, passed the smoke test and has a
KLD of at most LOSS_LIMIT. If there is no such model: the first with any file that fits and is fast enough.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog import device as devices
from catalog import guessing, memory
from catalog.device import Device
from catalog.release import Model, ModelFile, ProbeScore, Release
from catalog.words import rate, short_count
from zoo.choose import pick as picks
from zoo.choose.pick import Pick, Shelf

LOSS_LIMIT = 0.1
"""Mean KLD in nats. A file with a higher one no longer behaves much like the ranked model. A choice of this project."""

RUNNERS_UP = 3

SPEEDS = (5.0, 10.0, 20.0)
"""Minimum speeds in tokens per second that people ask for most."""

NOTHING, POOR, GOOD = OUTCOMES = "012"
"""A release has no usable file; one that fails the smoke test or has a KLD above LOSS_LIMIT; a good one."""


@functools.cache
def questions() -> tuple[tuple[Device, int, float | None], ...]:
    """The most common questions: device, context length and minimum speed."""
    return tuple(itertools.product(devices.DEVICES, memory.CONTEXTS, (None, *SPEEDS)))


_PLACES = {(device.id, *rest): place for place, (device, *rest) in enumerate(questions())}


@dataclass(frozen=True)
class Merit:
    """What decides the order. probes and perplexity are those of the file that the others are measured against, or of
    the file with the lowest loss; evaluation_texts are digests."""

    parameters: int
    vocabulary_size: int
    evaluation_texts: tuple[str, ...]
    perplexity: float
    probes: tuple[ProbeScore, ...]


@dataclass(frozen=True)
class Known:
    """What a release has for each of ``questions()``, computed in advance: one sign of OUTCOMES for each."""

    signs: str

    def outcome(self, question: Question) -> str | None:
        """The sign; None for a question that is not one of ``questions()``."""
        return None if question.place is None else self.signs[question.place]


@dataclass(frozen=True)
class Entry:
    """A model of the catalog. Its current release is loaded when it is needed. An experimental one is never chosen."""

    name: str
    task: str
    languages: tuple[str, ...]
    merit: Merit
    load: Callable[[], Release]
    known: Known | None = None
    experimental: bool = False

    @functools.cached_property
    def release(self) -> Release:
        """The result of ``load``, called once."""
        return self.load()

    @functools.cached_property
    def shelf(self) -> Shelf:
        """The release, ready for many questions."""
        return Shelf(self.release)

    @functools.cached_property
    def picks(self) -> dict[tuple[str, int, float | None], Pick]:
        """Earlier answers of ``pick``, for devices that have a profile."""
        return {}

    def pick(self, question: Question) -> Pick:
        """The recommended file. Raises ValueError for a context that is longer than the model's."""
        device, context, least = question.device, question.context_tokens, question.least_tokens_per_second
        if devices.find(device.id) is not device:
            return self.shelf.pick(device, context, least)
        key = device.id, context, least
        if key not in self.picks:
            self.picks[key] = self.shelf.pick(device, context, least)
        return self.picks[key]


@dataclass(frozen=True)
class Question:
    """What somebody asks; None asks for anything."""

    device: Device
    context_tokens: int
    least_tokens_per_second: float | None = None
    task: str | None = None
    language: str | None = None

    @functools.cached_property
    def place(self) -> int | None:
        """Its position in ``questions()``, whatever the task and the language; None if it is not one of them."""
        if devices.find(self.device.id) is not self.device:
            return None
        return _PLACES.get((self.device.id, self.context_tokens, self.least_tokens_per_second))


@dataclass(frozen=True)
class Share:
    """Right answers to the usual probes. by_guessing: how many guessing gives on average."""

    correct: int
    total: int
    by_guessing: float = 0.0

    @property
    def at_chance(self) -> bool:
        """Whether the interval of the share includes what guessing gives, or is below it."""
        return guessing.wilson(self.correct, self.total)[0] <= self.by_guessing / self.total


@dataclass(frozen=True)
class Ranked:
    """An entry in the catalog's order. share is None for a model that did not take the usual probes."""

    entry: Entry
    share: Share | None


@dataclass(frozen=True)
class Offer:
    """A model and its recommended file; pick.file is never None."""

    ranked: Ranked
    pick: Pick


@dataclass(frozen=True)
class Passed:
    """A model that ranks higher than the answer and was skipped. pick is None if the context is too long for it. Both
    are computed when they are needed: most models of a long list are only counted."""

    ranked: Ranked
    judge: Callable[[], tuple[str, Pick | None]]

    @functools.cached_property
    def judged(self) -> tuple[str, Pick | None]:
        """The result of ``judge``, called once."""
        return self.judge()

    @property
    def reason(self) -> str:
        return self.judged[0]

    @property
    def pick(self) -> Pick | None:
        return self.judged[1]


@dataclass(frozen=True)
class Choice:
    """The answer, or None with the reason. asked: models for that task and language."""

    question: Question
    answer: Offer | None
    reason: str
    runners_up: tuple[Offer, ...]
    passed: tuple[Passed, ...]
    asked: int


def entry(model: Model) -> Entry | None:
    """A model with a release that is not yanked; None without one."""
    release = picks.current(model)
    if release is None:
        return None
    words = model.name, model.task, model.languages
    return Entry(*words, merit(release), lambda: release, experimental=model.experimental)


def merit(release: Release) -> Merit:
    """What decides the place of a release."""
    first = min(
        release.files, key=lambda f: (f.loss is not None, f.loss.kld_mean_nats if f.loss else 0.0, f.path)
    )
    texts = sorted(a.sha256 or a.source for a in release.lineage if a.role == "evaluation")
    shape = release.architecture
    return Merit(shape.parameters, shape.vocabulary_size, tuple(texts), first.perplexity, first.probes)


def known(release: Release) -> Known:
    """What the release has for each of ``questions()``."""
    shelf, longest = Shelf(release), release.architecture.context_tokens
    signs = [
        _sign(shelf.take(device, context, least)) if context <= longest else NOTHING
        for device, context, least in questions()
    ]
    return Known("".join(signs))


def _sign(file: ModelFile | None) -> str:
    if file is None:
        return NOTHING
    return POOR if _poor(file) else GOOD


def rank(some: Sequence[Entry], language: str | None = None) -> list[Ranked]:
    """All entries in the catalog's order, for probes in one language or in any."""
    probed = [_probes(entry, language) for entry in some]
    usual = _usual([scores for entry, scores in zip(some, probed, strict=True) if not entry.experimental])
    ranked = [Ranked(entry, _share(scores, usual)) for entry, scores in zip(some, probed, strict=True)]
    return sorted(ranked, key=_order)


def choose(question: Question, ranked: Sequence[Ranked], runners_up: int = RUNNERS_UP) -> Choice:
    """The first suitable model in the order, the ones after it, and why the ones before it are not suitable."""
    every = ranked
    if question.task is not None or question.language is not None:
        every = [one for one in ranked if matches(one.entry, question)]
    asked = [one for one in every if not one.entry.experimental]
    good: list[Ranked] = []
    lossy: list[Ranked] = []
    guessing_ones: list[Ranked] = []
    passed: list[Passed] = []
    for one in asked:
        outcome = _outcome(one.entry, question)
        at_chance = one.share is not None and one.share.at_chance
        if outcome == GOOD and not at_chance:
            good.append(one)
            if len(good) > runners_up:
                break
            continue
        if outcome != NOTHING:
            (guessing_ones if at_chance else lossy).append(one)
        if not good:
            passed.append(Passed(one, functools.partial(_judge, one, question)))
    taken = good or lossy[: runners_up + 1]
    if not taken:
        experiments = every[len(asked) :]
        passed += [Passed(one, functools.partial(_experiment, one.entry, question)) for one in experiments]
        reason = _no_good_one(question, guessing_ones, experiments) or _nothing(question, len(asked))
        return Choice(question, None, reason, (), tuple(passed), len(asked))
    if not good:
        passed = passed[: next(i for i, one in enumerate(passed) if one.ranked is taken[0])]
    offers = [Offer(one, one.entry.pick(question)) for one in taken]
    reason = _reason(offers[0], question, len(asked), bool(good))
    return Choice(question, offers[0], reason, tuple(offers[1:]), tuple(passed), len(asked))


def matches(entry: Entry, question: Question) -> bool:
    """Whether a model is for the task and the language of the question."""
    return question.task in (None, entry.task) and (
        question.language is None or question.language in entry.languages
    )


# --- The order


def _probes(entry: Entry, language: str | None) -> dict[tuple[str, str], ProbeScore]:
    scores = entry.merit.probes
    return {(s.probe, s.language or ""): s for s in scores if language is None or s.language == language}


def _usual(probed: Sequence[dict[tuple[str, str], ProbeScore]]) -> frozenset[tuple[str, str]]:
    """The set of probes that most models took; of two such sets the larger one, then the first by name."""
    counted = Counter(frozenset(scores) for scores in probed if scores)
    return min(counted, key=lambda s: (-counted[s], -len(s), sorted(s)), default=frozenset())


def _share(scores: dict[tuple[str, str], ProbeScore], usual: frozenset[tuple[str, str]]) -> Share | None:
    if not usual or not usual <= scores.keys():
        return None
    total = sum(scores[key].total for key in usual)
    if not total:
        return None
    by_guessing = sum(guessing.expected(key[0], scores[key].total) for key in sorted(usual))
    return Share(sum(scores[key].correct for key in usual), total, by_guessing)


def _order(one: Ranked) -> tuple[bool, float, int, int, tuple[str, ...], float, str]:
    merit = one.entry.merit
    known = merit.perplexity > 0 and math.isfinite(merit.perplexity)
    return (
        one.entry.experimental,
        -one.share.correct / one.share.total if one.share else 1.0,
        -merit.parameters,
        merit.vocabulary_size,
        merit.evaluation_texts,
        merit.perplexity if known else math.inf,
        one.entry.name,
    )


# --- The choice


def _outcome(entry: Entry, question: Question) -> str:
    found = entry.known.outcome(question) if entry.known else None
    if found is not None:
        return found
    if question.context_tokens > entry.release.architecture.context_tokens:
        return NOTHING
    return _sign(entry.pick(question).file)


def _judge(one: Ranked, question: Question) -> tuple[str, Pick | None]:
    """Why a model was skipped, and its pick; no pick if the context is too long for it."""
    entry = one.entry
    context, longest = question.context_tokens, entry.release.architecture.context_tokens
    if context > longest:
        return f"Its context is at most {longest:,} tokens; you asked for {context:,}.", None
    pick = entry.pick(question)
    if pick.file and one.share and one.share.at_chance:
        return _chance_words(one.share), pick
    return (_poor(pick.file) if pick.file else None) or pick.reason, pick


def _experiment(entry: Entry, question: Question) -> tuple[str, Pick | None]:
    fits = question.context_tokens <= entry.release.architecture.context_tokens
    return "Its owners call it experimental.", entry.pick(question) if fits else None


def _poor(file: ModelFile) -> str | None:
    """Why a file is recommended only if the catalog has no better one."""
    if not file.smoke_passed:
        return f"Its best usable file, {file.path}, failed the smoke test."
    if file.loss and file.loss.kld_mean_nats > LOSS_LIMIT:
        return (
            f"Its best usable file, {file.path}, has a mean KLD of {file.loss.kld_mean_nats:.4f} nats, more than the "
            f"limit of {LOSS_LIMIT:g}."
        )
    return None


# --- Words


def asked_words(question: Question, number: int) -> str:
    """``the 12 models for chat in en``."""
    words = "the only model" if number == 1 else f"the {number:,} models"
    words += f" for {question.task}" if question.task else ""
    return words + (f" in {question.language}" if question.language else "")


def standing_words(one: Ranked) -> str:
    """What decides a model's place in the order."""
    size = f"{short_count(one.entry.merit.parameters)} parameters"
    if one.share is None:
        return size
    share = 100 * one.share.correct / one.share.total
    return f"{one.share.correct:,} of {one.share.total:,} probe answers right ({share:.1f} %), {size}"


def _reason(offer: Offer, question: Question, asked: int, good: bool) -> str:
    name, standing = offer.ranked.entry.name, standing_words(offer.ranked)
    fits = ["fits"]
    if question.least_tokens_per_second is not None:
        fits.append(f"reaches {rate(question.least_tokens_per_second)} tokens/s")
    if good:
        fits.append("stays close to the original")
    file = f"a file that {_joined(fits)}{f' (KLD of at most {LOSS_LIMIT:g} nats)' if good else ''}"
    poor = f" No such file passes the smoke test and has a KLD of at most {LOSS_LIMIT:g} nats." * (
        not good
    )
    if asked == 1:
        return f"{name} is {asked_words(question, 1)} in this catalog ({standing}). It has {file}.{poor}"
    return (
        f"Of {asked_words(question, asked)}, {name} is the highest-ranked one with {file}: {standing}.{poor}"
    )


def _chance_words(share: Share) -> str:
    return (
        f"It answered {share.correct:,} of {share.total:,} test questions correctly, and guessing gives about "
        f"{share.by_guessing:,.0f}."
    )


def _no_good_one(
    question: Question, at_chance: Sequence[Ranked], experiments: Sequence[Ranked]
) -> str | None:
    """What to say if all models that fit are no better than guessing, or experimental; None if there are none."""
    aim = asked_words(question, 0).removeprefix("the 0 models")
    start = f"There is no good model{aim} yet."
    for one in at_chance:
        assert one.share
        return f"{start} The nearest is {one.entry.name}. {_chance_words(one.share)}"
    for one in experiments:
        return f"{start} The nearest is {one.entry.name}. Its owners call it experimental."
    return None


def _joined(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _nothing(question: Question, asked: int) -> str:
    if not asked:
        return f"The catalog has no model{asked_words(question, 0).removeprefix('the 0 models')}."
    none = "has no file that fits" if asked == 1 else "has a file that fits"
    start = asked_words(question, asked)
    subject = start[0].upper() + start[1:] if asked == 1 else f"None of {start}"
    if question.least_tokens_per_second is not None:
        none += f" and reaches {rate(question.least_tokens_per_second)} tokens/s"
    return f"{subject} {none} on {question.device.name} at {question.context_tokens:,} tokens of context."
