"""The multiple-choice knapsack: one option of every group, least total loss, total size within a budget.

Pure. Solved by dynamic programming over the size that is spent beyond every group's smallest option (Dudzinski and
Walukiewicz, European Journal of Operational Research 28, 1987). Sizes are counted in steps of the greatest common
divisor of their differences, which makes the answer exact; if that would take more than MOST_STEPS, in larger steps,
rounded up, so that the result is within the budget and its loss is at most that of a budget smaller by one step per
group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MOST_STEPS = 50_000


@dataclass(frozen=True)
class Option:
    """One way to make a group: its name, its size in bytes and its loss."""

    name: str
    size_bytes: int
    loss: float


class OverBudget(ValueError):
    """Even the smallest options together are larger than the budget, by ``missing_bytes``."""

    def __init__(self, smallest_bytes: int, budget_bytes: int) -> None:
        super().__init__(f"{smallest_bytes} bytes are the minimum, but the budget is {budget_bytes}")
        self.smallest_bytes = smallest_bytes
        self.missing_bytes = smallest_bytes - budget_bytes


def solve(groups: Mapping[str, Sequence[Option]], budget_bytes: int) -> dict[str, Option]:
    """The chosen option by group. Ties go to the smaller option, then to the one named first.

    Raises OverBudget if nothing fits, ValueError for a group without options.
    """
    if not all(groups.values()):
        raise ValueError("a group has no option")
    useful = {name: _useful(options) for name, options in groups.items()}
    least = {name: options[0].size_bytes for name, options in useful.items()}
    room = budget_bytes - sum(least.values())
    if room < 0:
        raise OverBudget(sum(least.values()), budget_bytes)
    most = sum(options[-1].size_bytes - least[name] for name, options in useful.items())
    room = min(room, most)
    extras = [o.size_bytes - least[name] for name, options in useful.items() for o in options]
    step = max(math.gcd(*extras), -(-room // MOST_STEPS), 1)
    steps = {
        name: [-(-(o.size_bytes - least[name]) // step) for o in options] for name, options in useful.items()
    }
    return _walk(useful, steps, room // step)


def _useful(options: Sequence[Option]) -> list[Option]:
    """Options that no other option beats, smallest first: each larger one has less loss."""
    found: list[Option] = []
    for option in sorted(options, key=lambda o: (o.size_bytes, o.loss)):
        if not found or option.loss < found[-1].loss:
            found.append(option)
    return found


def _walk(
    useful: Mapping[str, Sequence[Option]], steps: Mapping[str, Sequence[int]], room: int
) -> dict[str, Option]:
    """best[c]: the lowest loss of the groups so far within c steps; taken: the option of the last group there."""
    best = np.zeros(room + 1)
    taken = []
    for name, options in useful.items():
        following = np.full(room + 1, math.inf)
        choice = np.zeros(room + 1, dtype=np.int16)
        for number, (option, cost) in enumerate(zip(options, steps[name], strict=True)):
            if cost > room:
                break
            loss = best[: room + 1 - cost] + option.loss
            better = loss < following[cost:]
            following[cost:][better] = loss[better]
            choice[cost:][better] = number
        best = following
        taken.append(choice)
    left, found = room, {}
    for (name, options), choice in zip(reversed(list(useful.items())), reversed(taken), strict=True):
        number = int(choice[left])
        found[name] = options[number]
        left -= steps[name][number]
    return {name: found[name] for name in useful}
