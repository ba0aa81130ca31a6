"""The types per tensor with the least measured KLD within a number of bytes.

1. A knapsack over the sensitivities of single groups, as if their KLDs added up. The groups with the most effect on the
answer are then measured with their chosen type, and it is solved again. 2. The answer and every preset that fits are
measured as complete mixes; the best one continues. 3. Swaps: one group gets a better type, another a worse one. The
most promising are measured as complete mixes, each against the best so far over the same windows; one is accepted if it
is better by more than one standard error.

Adding up KLDs of single groups is an approximation; the report has the predicted and the measured figure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from zoo.files.digests import digest
from zoo.llama.search import knapsack, sensitivity
from zoo.llama.search.knapsack import Option
from zoo.llama.search.sensitivity import Described, Group, Journal, mean, predicted
from zoo.llama.search.trials import Mix, Trials
from zoo.progress import Reporter

ROUNDS = 2
ROUND_PROBES = 24
SWAP_ROUNDS = 3
SWAP_TRIALS = 8

Choice = dict[str, str]
"""Group name -> type."""


class Account(TypedDict):
    """A complete mix that was measured."""

    tensor_bytes: int
    predicted_kld_nats: float
    measured_kld_nats: float
    measured_kld_se_nats: float


class Contender(Account):
    """The answer of the search, or a preset that fits."""

    name: str


class Swap(Account):
    """A change of the best choice, and whether it was taken."""

    change: Choice
    taken: bool


@dataclass(frozen=True)
class Found:
    """The best choice. contenders and swaps list what was tried: name, size, predicted and measured KLD in nats."""

    types: dict[str, str]
    size_bytes: int
    predicted_nats: float
    measured_nats: float
    measured_se_nats: float
    contenders: tuple[Contender, ...]
    swaps: tuple[Swap, ...]


@dataclass
class Search:
    """One search. described: the facts of every group; limit_bytes: for all groups together."""

    trials: Trials
    groups: dict[str, Group]
    described: dict[str, Described]
    journal: Journal
    limit_bytes: int
    report: Reporter

    def run(self, presets: Mapping[str, Mix]) -> Found:
        """presets: name -> types by tensor. Raises knapsack.OverBudget if nothing fits."""
        answer = self._solve()
        for _ in range(ROUNDS):
            if not self._look_closer(answer):
                break
            answer = self._solve()
        contenders = {"search": answer, **self._fitting(presets)}
        measured = dict(zip(contenders, self._measure(list(contenders.values())), strict=True))
        told: list[Contender] = [
            {"name": name, **self._account(choice, measured[name])} for name, choice in contenders.items()
        ]
        best = min(contenders, key=lambda name: (mean(measured[name]), name != "search"))
        choice, kld, swaps = self._swap(contenders[best], measured[best])
        return Found(
            self._mix(choice),
            self._size(choice),
            self._predicted(choice),
            mean(kld),
            standard_error(kld),
            tuple(told),
            tuple(swaps),
        )

    def _options(self, name: str) -> list[Option]:
        known = self.described[name]
        return [Option(t, size, predicted(known, t)) for t, size in known["size_bytes"].items()]

    def _solve(self) -> Choice:
        options = {name: self._options(name) for name in self.groups}
        return {name: option.name for name, option in knapsack.solve(options, self.limit_bytes).items()}

    def _look_closer(self, answer: Choice) -> bool:
        """Measure the chosen types that matter most; False if there is nothing left to measure."""
        open_ = [n for n, t in answer.items() if t not in self.described[n]["kld_nats_by_window"]]
        open_.sort(key=lambda n: -predicted(self.described[n], answer[n]))
        probes = [(self.groups[n], answer[n]) for n in open_[:ROUND_PROBES]]
        sensitivity.alone(self.trials, probes, self.journal, self.report, "Measuring chosen types alone")
        for group, type_name in probes:
            known = self.journal.kld[sensitivity.kld_key(group.name, type_name)]
            self.described[group.name]["kld_nats_by_window"][type_name] = known
        return bool(probes)

    def _fitting(self, presets: Mapping[str, Mix]) -> dict[str, Choice]:
        """Presets that fit and that the groups can express."""
        found = {}
        for name, mix in presets.items():
            choice = {}
            for group in self.groups.values():
                types = {mix.get(tensor, "") for tensor in group.tensors}
                if len(types) == 1 and types <= set(group.types):
                    choice[group.name] = types.pop()
            if len(choice) == len(self.groups) and self._size(choice) <= self.limit_bytes:
                found[name] = choice
        return found

    def _swap(self, choice: Choice, kld: list[float]) -> tuple[Choice, list[float], list[Swap]]:
        told: list[Swap] = []
        tried: set[str] = set()
        for _ in range(SWAP_ROUNDS):
            changes = [c for c in self._changes(choice) if digest(sorted(c.items())) not in tried][
                :SWAP_TRIALS
            ]
            tried |= {digest(sorted(change.items())) for change in changes}
            if not changes:
                break
            base = choice
            results = self._measure([base | change for change in changes])
            for change, result in sorted(zip(changes, results, strict=True), key=lambda pair: mean(pair[1])):
                gain = [after - before for after, before in zip(result, kld, strict=True)]
                taken = mean(gain) < -standard_error(gain)
                told.append({"change": change, "taken": taken, **self._account(base | change, result)})
                if taken:
                    choice, kld = base | change, result
                    break
            told += [
                {"change": change, "taken": False, **self._account(base | change, result)}
                for change, result in zip(changes, results, strict=True)
                if not any(entry["change"] == change for entry in told)
            ]
            if choice is base:
                break
        return choice, kld, told

    def _changes(self, choice: Choice) -> list[Choice]:
        """Changes of one or two groups within the budget, the largest predicted gain first."""
        room = self.limit_bytes - self._size(choice)
        steps = [step for name in self.groups for step in self._steps(name, choice[name])]
        gains = sorted((s for s in steps if s[3] < 0), key=lambda step: step[3])[: 4 * SWAP_TRIALS]
        costs = sorted((s for s in steps if s[2] < 0), key=lambda step: step[3] / -step[2])[: 4 * SWAP_TRIALS]
        found: list[tuple[float, Choice]] = []
        for name, type_name, size, loss in gains:
            if size <= room:
                found.append((loss, {name: type_name}))
            for other, lower, less, more in costs:
                if other != name and size + less <= room:
                    found.append((loss + more, {name: type_name, other: lower}))
        found.sort(key=lambda entry: (entry[0], sorted(entry[1].items())))
        return _varied([change for _, change in found])

    def _steps(self, name: str, now: str) -> Iterator[tuple[str, str, int, float]]:
        """(group, type, bytes more, predicted nats more) of every other type of a group."""
        known = self.described[name]
        size, loss = known["size_bytes"][now], predicted(known, now)
        for type_name, other in known["size_bytes"].items():
            if type_name != now:
                yield name, type_name, other - size, predicted(known, type_name) - loss

    def _measure(self, choices: Sequence[Choice]) -> list[list[float]]:
        """Measure complete mixes that the journal does not have."""
        keys = ["mix " + digest(self._mix(choice)) for choice in choices]
        wanted = [i for i, key in enumerate(keys) if key not in self.journal.kld]
        with self.report.task("Measuring complete mixes", float(len(wanted)), "trials") as advance:

            def done(number: int, kld: list[float]) -> None:
                self.journal.add(keys[wanted[number]], kld)
                advance(1)

            self.trials.run([self._mix(choices[i]) for i in wanted], done)
        return [self.journal.kld[key] for key in keys]

    def _mix(self, choice: Choice) -> dict[str, str]:
        return {tensor: choice[name] for name, group in self.groups.items() for tensor in group.tensors}

    def _size(self, choice: Choice) -> int:
        return sum(self.described[name]["size_bytes"][t] for name, t in choice.items())

    def _predicted(self, choice: Choice) -> float:
        return sum(predicted(self.described[name], t) for name, t in choice.items())

    def _account(self, choice: Choice, kld: Sequence[float]) -> Account:
        return {
            "tensor_bytes": self._size(choice),
            "predicted_kld_nats": self._predicted(choice),
            "measured_kld_nats": mean(kld),
            "measured_kld_se_nats": standard_error(kld),
        }


def _varied(changes: Sequence[Choice]) -> list[Choice]:
    """The first changes in which no group occurs more than twice: trials of similar mixes add little information."""
    used: Counter[str] = Counter()
    found = []
    for change in changes:
        if all(used[name] < 2 for name in change):
            used.update(change.keys())
            found.append(change)
    return found


def standard_error(values: Sequence[float]) -> float:
    """Of the mean over equally long windows; 0.0 with a single one."""
    count, middle = len(values), mean(values)
    if count < 2:
        return 0.0
    return math.sqrt(sum((value - middle) ** 2 for value in values) / (count - 1) / count)
