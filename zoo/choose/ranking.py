"""The order of the catalog's models, whatever the device. Pure.

Losses of different models cannot be compared, because each is measured against another reference. So models are ranked:

1. Models tested with the catalog's usual task probes, by the share of right answers; then models that did
   not. The usual probes are the set that most models took, in the language of the question.
2. Models with more parameters first.
3. With the same number of parameters, vocabulary and evaluation text: lower perplexity first.
4. The name.

Probes have few items, so neighbours in this order are often equal within the errors. So the order has *tiers*: a tier
begins with a model, and has all after it whose 95 % intervals overlap with that one's. Models without the usual probes
are in one tier if they are equal in points 2 and 3. Within a tier nothing is known to be better.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from catalog import device as devices
from catalog import guessing
from catalog.release import Model, ProbeScore, Release
from catalog.words import short_count
from zoo.choose import pick as picks
from zoo.choose.candidates import Wish
from zoo.choose.pick import Pick, Shelf, Standing


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
class Entry:
    """A model of the catalog. Its current release is loaded when it is needed. An experimental one is never chosen.

    known: what is known of the release for (device, context length) without loading it.
    """

    name: str
    task: str
    languages: tuple[str, ...]
    merit: Merit
    load: Callable[[], Release]
    known: Callable[[str, int], Standing | None] | None = None
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
    def picks(self) -> dict[tuple[str, int, float | None, str], Pick]:
        """Earlier answers of ``pick``, for devices that have a profile."""
        return {}

    def pick(self, wish: Wish) -> Pick:
        """The recommended file. Raises ValueError for a context that is longer than the model's."""
        asked = wish.context_tokens, wish.least, wish.kv
        if devices.find(wish.device.id) is not wish.device:
            return self.shelf.pick(wish.device, *asked)
        key = wish.device.id, *asked
        if key not in self.picks:
            self.picks[key] = self.shelf.pick(wish.device, *asked)
        return self.picks[key]

    def standing(self, wish: Wish) -> Standing | None:
        """What there is for a question; None if the context is too long for the model."""
        if self.known and wish.is_usual:
            found = self.known(wish.device.id, wish.context_tokens)
            if found:
                return found
        if wish.context_tokens > self.release.architecture.context_tokens:
            return None
        return self.shelf.standing(wish)


@dataclass(frozen=True)
class Share:
    """Right answers to the usual probes. by_guessing: how many guessing gives on average."""

    correct: int
    total: int
    by_guessing: float = 0.0

    @functools.cached_property
    def at_chance(self) -> bool:
        """Whether the interval of the share includes what guessing gives, or is below it."""
        return guessing.wilson(self.correct, self.total)[0] <= self.by_guessing / self.total


@dataclass(frozen=True)
class Guessed:
    """What a model does no better than guessing: probe -> its share, language -> the share of all probes in it."""

    probes: dict[str, Share]
    languages: dict[str, Share]


@dataclass(frozen=True)
class Ranked:
    """An entry in the catalog's order. share is None for a model that was not tested with the usual probes.

    tier: from 0 on, 0 is the best. begins: whether it is the first of its tier.
    """

    entry: Entry
    share: Share | None
    tier: int
    begins: bool = False

    @functools.cached_property
    def at_chance(self) -> bool:
        return self.share is not None and self.share.at_chance


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


def rank(some: Sequence[Entry], language: str | None = None) -> list[Ranked]:
    """All entries in the catalog's order, for probes in one language or in any; experimental ones last."""
    probed = [_probes(entry, language) for entry in some]
    usual = usual_probes(some, language)
    found = [(entry, _share(scores, usual)) for entry, scores in zip(some, probed, strict=True)]
    return list(_tiers(sorted(found, key=lambda one: _order(*one))))


def at_chance(model: Model, release: Release, models: Iterable[Model]) -> Share | None:
    """The share of a release in the catalog's order in any language, if it is no better than guessing; else None."""
    if not any(file.probes for file in release.files):
        return None
    words = model.name, model.task, model.languages
    asked = Entry(*words, merit(release), lambda: release, experimental=model.experimental)
    others = [one for other in models if other.name != model.name and (one := entry(other))]
    return next((one.share for one in rank([*others, asked]) if one.entry is asked and one.at_chance), None)


def guessed(release: Release) -> Guessed:
    """The probes, and the languages, in which the model of a release is no better than guessing, by the chooser's rule.
    The probes are all those of the file that decides its place."""
    scores = merit(release).probes
    by_language: dict[str, list[ProbeScore]] = {}
    for score in scores:
        if score.language:
            by_language.setdefault(score.language, []).append(score)
    probes = {score.probe: share for score in scores if (share := _sum([score])) and share.at_chance}
    languages = {name: share for name, some in by_language.items() if (share := _sum(some)) and share.at_chance}
    return Guessed(probes, languages)


def usual_probes(some: Sequence[Entry], language: str | None = None) -> frozenset[tuple[str, str]]:
    """(probe, its language or "") of the usual task probes."""
    return _usual([_probes(entry, language) for entry in some if not entry.experimental])


def standing_words(one: Ranked) -> str:
    """What decides a model's place in the order."""
    size = f"{short_count(one.entry.merit.parameters)} parameters"
    if one.share is None:
        return size
    share = 100 * one.share.correct / one.share.total
    return f"{one.share.correct:,} of {one.share.total:,} test questions right ({share:.1f} %), {size}"


def _tiers(ordered: Sequence[tuple[Entry, Share | None]]) -> Iterator[Ranked]:
    tier, first = -1, None
    for entry, share in ordered:
        kind = entry.experimental, share is None, () if share else _order(entry, None)[2:-1]
        low, high = guessing.wilson(share.correct, share.total) if share else (0.0, 0.0)
        if first is None or kind != first[0] or high < first[1]:
            tier, first = tier + 1, (kind, low)
            yield Ranked(entry, share, tier, begins=True)
        else:
            yield Ranked(entry, share, tier)


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
    return _sum([scores[key] for key in sorted(usual)])


def _sum(scores: Sequence[ProbeScore]) -> Share | None:
    """All answers to some probes together; None without a question."""
    total = sum(one.total for one in scores)
    if not total:
        return None
    by_guessing = sum(guessing.expected(one.probe, one.total) for one in scores)
    return Share(sum(one.correct for one in scores), total, by_guessing)


def _order(entry: Entry, share: Share | None) -> tuple[bool, float, int, int, tuple[str, ...], float, str]:
    merit = entry.merit
    known = merit.perplexity > 0 and math.isfinite(merit.perplexity)
    return (
        entry.experimental,
        -share.correct / share.total if share else 1.0,
        -merit.parameters,
        merit.vocabulary_size,
        merit.evaluation_texts,
        merit.perplexity if known else math.inf,
        entry.name,
    )
