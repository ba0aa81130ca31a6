"""Confidence sequences: what they promise of repeated looks, on figures whose means are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zoo.judge.sequence import EVERYTHING, PRECISION, interval


def test_the_closed_form_is_where_the_martingale_reaches_one_over_alpha() -> None:
    """The ends of the interval, put into the formula of the module's documentation."""
    y, alpha, c2 = np.array([1.0, 2.5, 0.7, 1.9, 1.4, 2.2]), 0.05, PRECISION
    for end in interval(y, alpha):
        moved = y - end
        count, total, squares = len(y), float(moved.sum()), float((moved**2).sum())
        grown = math.sqrt(c2 / (count + c2)) * (1 - total**2 / ((count + c2) * squares)) ** (-count / 2)
        assert grown == pytest.approx(1 / alpha)


def test_figures_of_a_finite_population_become_contrasts_with_one_variance() -> None:
    """Seen from the true mean they are an orthonormal transform: the sum of all squares stays, and so does alpha."""
    values = np.random.default_rng(1).normal(3, 2, 12)
    left = len(values) - np.arange(11)
    rest = np.array([values[t:].mean() for t in range(11)])
    contrasts = (values[:11] - rest) * np.sqrt(left / (left - 1))
    assert (contrasts**2).sum() == pytest.approx(((values - values.mean()) ** 2).sum())


@pytest.mark.parametrize("population", [None, 40])
def test_repeated_looks_miss_no_more_often_than_promised(population: int | None) -> None:
    """Chance of more than 20 misses in 200 at 5 %: below 0.2 %; the usual interval at 5 % misses in 60 and more."""
    random, alpha, missed, usual = np.random.default_rng(7), 0.05, 0, 0
    for _ in range(200):
        values = random.normal(0, 1, 40)
        mean = float(values.mean()) if population else 0.0
        ends = [interval(values[:n], alpha, population) for n in range(2, 40)]
        missed += any(not low <= mean <= high for low, high in ends)
        errors = [abs(values[:n].mean()) / values[:n].std(ddof=1) * math.sqrt(n) for n in range(5, 40)]
        usual += max(errors) > 1.96
    assert missed <= 20
    assert usual >= 40


def test_the_interval_of_a_population_closes_and_that_of_endless_text_does_not() -> None:
    values = np.random.default_rng(2).normal(1, 1, 30)
    assert interval(values, 0.01, 30) == (values.mean(), values.mean())
    widths = [high - low for low, high in (interval(values[:n], 0.01, 30) for n in (8, 16, 24, 28))]
    assert widths == sorted(widths, reverse=True)
    low, high = interval(values, 0.01)
    assert high - low > 0.5


def test_too_few_figures_say_nothing_and_equal_ones_everything() -> None:
    assert interval([], 0.05) == interval([1.0], 0.05) == interval([1.0, 2.0], 0.05) == EVERYTHING
    assert interval([0.0] * 8, 0.05, 20) == (0.0, 0.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="not a probability"):
        interval([1.0, 2.0], 0.0)
    with pytest.raises(ValueError, match="3 figures of a population of 2"):
        interval([1.0, 2.0, 3.0], 0.05, 2)
