"""The knapsack, compared with every possible choice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from zoo.llama.search import knapsack
from zoo.llama.search.knapsack import Option, OverBudget, solve


def random_groups(seed: int, groups: int = 5, unit: int = 7) -> dict[str, list[Option]]:
    random = np.random.default_rng(seed)
    return {
        f"g{i}": [
            Option(f"o{j}", int(random.integers(1, 60)) * unit, float(random.random()))
            for j in range(random.integers(1, 5))
        ]
        for i in range(groups)
    }


def brute(groups: dict[str, list[Option]], budget: int) -> float:
    sums = [
        sum(option.loss for option in choice)
        for choice in itertools.product(*groups.values())
        if sum(option.size_bytes for option in choice) <= budget
    ]
    return min(sums)


@pytest.mark.parametrize("seed", range(30))
def test_no_choice_within_the_budget_loses_less(seed: int) -> None:
    groups = random_groups(seed)
    smallest = sum(min(o.size_bytes for o in options) for options in groups.values())
    for budget in (smallest, smallest + 100, smallest + 333, 10**6):
        chosen = solve(groups, budget)
        assert sum(option.size_bytes for option in chosen.values()) <= budget
        assert sum(option.loss for option in chosen.values()) == pytest.approx(brute(groups, budget))
        assert all(option in groups[name] for name, option in chosen.items())


def test_a_budget_that_nothing_meets_says_by_how_much() -> None:
    groups = random_groups(1)
    smallest = sum(min(o.size_bytes for o in options) for options in groups.values())
    with pytest.raises(OverBudget) as caught:
        solve(groups, smallest - 5)
    assert (caught.value.smallest_bytes, caught.value.missing_bytes) == (smallest, 5)


def test_coarse_steps_keep_the_budget_and_come_near(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = random_groups(4, unit=1)
    budget = 50 + sum(min(o.size_bytes for o in options) for options in groups.values())
    exact = sum(option.loss for option in solve(groups, budget).values())
    monkeypatch.setattr(knapsack, "MOST_STEPS", 12)
    chosen = solve(groups, budget).values()
    assert sum(option.size_bytes for option in chosen) <= budget
    assert exact <= sum(option.loss for option in chosen) < exact + 1


def test_a_smaller_option_is_taken_when_nothing_is_lost_by_it() -> None:
    options = [Option("large", 100, 0.5), Option("small", 10, 0.5)]
    assert solve({"a": options}, 1000)["a"].name == "small"
