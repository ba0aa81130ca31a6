"""Confidence sequences: intervals for a mean that stay valid however often one looks, and whenever one stops. Pure.

The unit is a window of text, whose figure is a mean over its tokens, because neighbouring tokens depend on each other.
Windows are read in a random order that is fixed before the first figure is seen, so that they are exchangeable,
whatever the dependence between tokens or between neighbouring windows of a text is.

The interval inverts the anytime-valid t-test with a Gaussian mixture over the effect size: T. L. Lai, "On confidence
sequences", Annals of Statistics 4 (1976); H. Wang and A. Ramdas, "Anytime-valid t-tests and confidence sequences for
Gaussian means with unknown variance" (2023, arXiv:2310.03722). With n figures y_t = a_t delta + noise, A = sum a_t^2,
B = sum a_t y_t, V = sum y_t^2 and a mixture of precision c^2,

    G = sqrt(c^2 / (A + c^2)) (1 - B^2 / ((A + c^2) V))^(-n/2)

is a martingale that starts at 1 if delta = 0 and the noise is Gaussian of any variance, so it ever reaches 1/alpha with
a probability of at most alpha (Ville). The figures themselves have a_t = 1.

For the mean of a finite population of N windows, read without replacement, the figures are instead

    y_t = (x_t - mean of what is left, x_t included) sqrt((N - t + 1) / (N - t)),   t < N

which for the true mean are orthonormal contrasts of the population: uncorrelated, with one variance, and independent
Gaussian if the windows are. A mean that is off by delta moves them by delta a_t with a_t = N / sqrt((N-t+1)(N-t)),
so the interval closes as the windows run out. (For bounded figures I. Waudby-Smith and A. Ramdas, "Confidence sequences
for sampling without replacement", 2020, arXiv:2006.04347, use the same mean of what is left.)

The assumption is that means over a window are near enough to Gaussian: approximately true for means over some hundred
tokens, and better the more windows there are. A loss has no upper bound, so no method without such an assumption gives
it a finite interval; bounds from the range of a share (empirical Bernstein) hold without it, but need hundreds of
windows. ``benchmarks.early_stop`` counts how often the interval misses on measured figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRECISION = 0.1
"""c^2 of the mixture: effects of up to three standard deviations of a window are expected."""

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Both ends; infinite ones as long as nothing is known."""

    low: float
    high: float


EVERYTHING = Interval(-math.inf, math.inf)


def interval(figures: Sequence[float] | Floats, alpha: float, population: int | None = None) -> Interval:
    """The interval for the mean after ``figures``, in the order in which they were seen.

    population: how many figures there would be in all, for the mean of exactly these; None for the mean of what they
    were drawn from. Over all lengths of ``figures`` together, the interval misses with a probability of at most alpha.
    Raises ValueError for an alpha that is not between 0 and 1, or more figures than the population has.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"{alpha:g} is not a probability between 0 and 1")
    values = np.asarray(figures, dtype=np.float64)
    if population is not None and len(values) > population:
        raise ValueError(f"{len(values)} figures of a population of {population}")
    if len(values) == population:
        mean = float(values.mean())
        return Interval(mean, mean)
    return _inverted(*_contrasts(values, population), alpha) if len(values) > 1 else EVERYTHING


def _contrasts(values: Floats, population: int | None) -> tuple[Floats, Floats]:
    """y for a mean of 0, and by how much each of them moves with the mean."""
    if population is None:
        return values, np.ones(len(values))
    seen = np.arange(len(values))
    left = (population - seen).astype(np.float64)
    before = np.concatenate([[0.0], np.cumsum(values)[:-1]])
    scale = np.sqrt(left / (left - 1))
    return (values + before / left) * scale, population / left * scale


def _inverted(y: Floats, a: Floats, alpha: float) -> Interval:
    """Every mean for which G is below 1 / alpha."""
    total = float(a @ a)
    centre = float(a @ y) / total
    rest = float(((y - centre * a) ** 2).sum())
    kept = 1 - (alpha**2 * PRECISION / (total + PRECISION)) ** (1 / len(y))
    share = kept * (total + PRECISION) / total
    if share >= 1:
        return EVERYTHING
    half = math.sqrt(rest * share / (1 - share) / total)
    return Interval(centre - half, centre + half)


def is_apart(share: float, count: int, bound: float, alpha: float) -> bool:
    """Whether so many answers, of which this share is yes, exclude that yes has the probability ``bound``.

    Windows whose tokens all agree have no spread, so their interval above would be a point after two of them. The test
    of Krichevsky and Trofimov (1981), a mixture of all probabilities, needs no spread: it is valid however often one
    looks, and errs with a probability of at most alpha if the answers are independent.
    """
    apart = _surprise(share, bound) + _surprise(1 - share, 1 - bound)
    return count * apart >= math.log(2 / alpha) + math.log(count) / 2


def _surprise(share: float, bound: float) -> float:
    """The part of one answer in the divergence of ``share`` from ``bound``."""
    if share <= 0:
        return 0.0
    return share * math.log(share / bound) if bound > 0 else math.inf
