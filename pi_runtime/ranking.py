"""The order of a catalog's models, whatever the device: the rules of the catalog's pages again. Pure.

Models that were tested with the catalog's usual task probes come first, by their share of right answers; then by
parameters. Neighbours are often equal within the errors, so the order has tiers: a tier begins with a model, and has
all after it whose 95 % intervals overlap with that one's. A test of the project compares the order with ``zoo.choose``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pi_runtime.catalogue import File, Model, Release

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""

CHANCE = {"pairs_en": 0.5, "pairs_fr": 0.5}
"""Share of right answers of a probe by guessing; zero for all others."""


@dataclass(frozen=True)
class Share:
    """Right answers to the usual probes. by_guessing: how many guessing gives on average."""

    correct: int
    total: int
    by_guessing: float

    @property
    def at_chance(self) -> bool:
        """Whether guessing would do as well."""
        return wilson(self.correct, self.total)[0] <= self.by_guessing / self.total


@dataclass(frozen=True)
class Ranked:
    """A model with its current release, in the catalog's order. tier: 0 is the best. share: None if not tested."""

    model: Model
    release: Release
    share: Share | None
    tier: int

    @property
    def at_chance(self) -> bool:
        return self.share is not None and self.share.at_chance


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson, JASA 22 (1927)."""
    share, z2 = correct / total, Z * Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return (
        0.0 if correct == 0 else max(middle - half, 0.0),
        1.0 if correct == total else min(middle + half, 1.0),
    )


def rank(models: Sequence[Model], language: str | None = None) -> list[Ranked]:
    """Every model with a release that was not withdrawn, in the catalog's order; experimental ones last."""
    some = [(model, release) for model in models if (release := model.current())]
    scored = [_scores(release, language) for _, release in some]
    usual = _usual([keys for (model, _), keys in zip(some, scored, strict=True) if not model.experimental])
    found = [
        _One(model, release, _share(keys, usual)) for (model, release), keys in zip(some, scored, strict=True)
    ]
    return list(_tiers(sorted(found, key=lambda one: one.order)))


Scores = dict[tuple[str, str], tuple[int, int]]


@dataclass(frozen=True)
class _One:
    model: Model
    release: Release
    share: Share | None

    @property
    def order(self) -> tuple[bool, float, int, int, tuple[str, ...], float, str]:
        release, share = self.release, self.share
        first = reference(release)
        known = first.perplexity > 0
        return (
            self.model.experimental,
            -share.correct / share.total if share else 1.0,
            -release.parameters,
            release.vocabulary,
            release.evaluation_texts,
            first.perplexity if known else math.inf,
            self.model.name,
        )


def reference(release: Release) -> File:
    """The file that the others are compared with, else the one with the lowest loss."""
    return min(release.files, key=lambda one: (one.kld is not None, one.kld or 0.0, one.path))


def _scores(release: Release, language: str | None) -> Scores:
    probes = reference(release).probes
    return {one.key: (one.correct, one.total) for one in probes if language in (None, one.key[1] or None)}


def _usual(scored: Sequence[Scores]) -> frozenset[tuple[str, str]]:
    """The set of probes that most models were tested with; of two such sets the larger one, then the first by name."""
    counted = Counter(frozenset(scores) for scores in scored if scores)
    return min(counted, key=lambda keys: (-counted[keys], -len(keys), sorted(keys)), default=frozenset())


def _share(scores: Scores, usual: frozenset[tuple[str, str]]) -> Share | None:
    if not usual or not usual <= scores.keys():
        return None
    total = sum(scores[key][1] for key in usual)
    by_guessing = sum(CHANCE.get(key[0], 0.0) * scores[key][1] for key in sorted(usual))
    return Share(sum(scores[key][0] for key in usual), total, by_guessing) if total else None


def _tiers(ordered: Sequence[_One]) -> Iterator[Ranked]:
    tier, first_kind, first_low = -1, None, 0.0
    for one in ordered:
        kind = one.model.experimental, one.share is None, () if one.share else one.order[2:-1]
        low, high = wilson(one.share.correct, one.share.total) if one.share else (0.0, 0.0)
        if first_kind is None or kind != first_kind or high < first_low:
            tier, first_kind, first_low = tier + 1, kind, low
        yield Ranked(one.model, one.release, one.share, tier)
