"""When an evaluation may stop: every kind of question, decided and open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from zoo.judge import deciding
from zoo.judge.deciding import SAME_TOP, TOKENS, Look, answer, look, stop
from zoo.judge.questions import KLD, Bound, Question, Rule

ALPHA = 0.001


def spread(mean: float, deviation: float, count: int, seed: int = 0) -> list[float]:
    """Figures with exactly this mean and deviation."""
    values = np.random.default_rng(seed).normal(size=count)
    return [float(one) for one in mean + deviation * (values - values.mean()) / values.std(ddof=1)]


@pytest.mark.parametrize(
    ("mean", "at_most", "sigmas", "found"),
    [
        (0.10, True, 2.0, True),
        (0.90, True, 2.0, False),
        (0.50, True, 2.0, None),
        (0.90, False, 2.0, True),
        (0.10, False, 2.0, False),
        (0.50, False, 2.0, None),
    ],
)
def test_a_bound_is_decided_on_either_side_or_open(
    mean: float, at_most: bool, sigmas: float, found: bool | None
) -> None:
    question = Question("it holds", (Bound("a", KLD, 0.5, at_most, sigmas),))
    assert answer(question, {("a", KLD): spread(mean, 0.05, 12)}, 100, ALPHA) is found


@pytest.mark.parametrize("at_most", [True, False])
def test_the_worse_end_of_the_interval_of_all_windows_is_what_counts(at_most: bool) -> None:
    """The mean keeps the bound, with half of two standard errors to spare: a gate judges that as missed."""
    figures = {("a", KLD): spread(0.5 - 0.01 if at_most else 0.5 + 0.01, 0.1, 100)}
    gate = Question("a gate", (Bound("a", KLD, 0.5, at_most, 2.0),))
    mean = Question("the mean", (Bound("a", KLD, 0.5, at_most, 0.0),))
    assert answer(gate, figures, 100, ALPHA) is False
    assert answer(mean, figures, 100, ALPHA) is True


def test_one_bound_that_fails_answers_a_question_whose_others_are_open() -> None:
    figures = {("a", KLD): spread(0.9, 0.05, 12), ("a", SAME_TOP): spread(0.9, 0.2, 12), ("a", TOKENS): [100] * 12}
    both = Question("both", (Bound("a", KLD, 0.02, True, 0.0), Bound("a", SAME_TOP, 0.9, False, 0.0)))
    assert answer(both, figures, 100, ALPHA) is False


def test_a_pair_is_open_until_one_is_worse_or_both_are_alike() -> None:
    rule = Rule((), None)
    noise = spread(0, 0.05, 12)
    apart = {("a", KLD): spread(0.1, 0.05, 12), ("b", KLD): spread(0.9, 0.05, 12, seed=1)}
    assert look(rule, apart, ["a", "b"], 100).why == "decided"
    alike = {("a", KLD): noise, ("b", KLD): [one + 0.0001 * (-1) ** n for n, one in enumerate(noise)]}
    assert look(rule, alike, ["a", "b"], 100).why == "decided"
    close = {("a", KLD): noise, ("b", KLD): [one + 0.012 for one in spread(0, 0.05, 12, seed=1)]}
    last = look(rule, close, ["a", "b"], 100)
    assert (last.open, last.why) == (("a and b differ in their loss",), None)


def test_all_windows_decide_everything() -> None:
    figures = {("a", KLD): spread(0.5, 0.2, 16), ("b", KLD): spread(0.5, 0.2, 16, seed=1)}
    rule = Rule((Question("it holds", (Bound("a", KLD, 0.5, True, 2.0),)),), None)
    assert look(rule, figures, ["a", "b"], 60).why is None
    last = look(rule, figures, ["a", "b"], 16)
    assert last.why == "decided"
    report = stop(rule, last, {"a": 16, "b": 16}, 16, 100)
    assert (report["why"], report["open"]) == ("end", [])
    assert report["words"] == "Measured on all 1,600 tokens: fewer did not settle what the recipe asks."


def test_an_asked_error_counts_every_file_and_leaves_questions_open() -> None:
    figures = {("a", KLD): spread(0.5, 0.02, 40), ("b", KLD): spread(0.5, 0.02, 40, seed=1)}
    rule = Rule((Question("it holds", (Bound("a", KLD, 0.5, True, 0.0),)),), 0.05)
    last = look(rule, figures, ["a", "b"], 100)
    assert last.why == "relative_error"
    assert all(error and error < 0.05 for error in last.errors.values())
    report = stop(rule, last, {"a": 40, "b": 40}, 100, 127)
    assert report["open"] == ["it holds", "a and b differ in their loss"]
    assert report["words"].startswith("Measured on 5,080 of 12,700 tokens, because by then the mean KLD of every file")
    assert look(Rule(None, 0.05), {**figures, ("b", KLD): spread(0.5, 0.4, 40)}, ["a", "b"], 100).why is None
    assert look(Rule(None, 0.05), {("a", KLD): [0.0] * 4}, ["a"], 100).why == "relative_error"


def test_an_asked_error_that_is_not_reached_is_told() -> None:
    figures = {("a", KLD): spread(0.5, 0.02, 40), ("b", KLD): spread(0.5, 0.2, 40, seed=1)}
    rule = Rule(None, 0.05)
    last = look(rule, figures, ["a", "b"], 40)
    error = last.errors["b"]
    assert last.why is None and error and error > 0.05
    words = stop(rule, last, {"a": 40, "b": 40}, 40, 100)["words"]
    assert words == (
        "Measured on all 4,000 tokens: fewer did not settle what the recipe asks. The asked error of 5 % was not "
        f"reached: the mean KLD of b is known to within {100 * error:.3g} %."
    )
    few = look(rule, {key: values[:2] for key, values in figures.items()}, ["a", "b"], 2)
    assert None in few.errors.values()
    words = stop(rule, few, {"a": 2, "b": 2}, 2, 100)["words"]
    assert words.endswith("The asked error of 5 % was not reached: these are too few windows to know any.")


def read(rule: Rule, all_: dict[tuple[str, str], list[float]], files: str = "abc") -> tuple[Look, dict[str, int], list]:
    """What an evaluation reads of all these windows, four at a time, and which blocks it asks for."""
    asked = []

    def fetch(number: int, names: Sequence[str]) -> dict[tuple[str, str], list[float]]:
        asked.append((number, "".join(names)))
        return {key: values[4 * number :][:4] for key, values in all_.items() if key[0] in names}

    windows = len(next(iter(all_.values())))
    last, counts = deciding.read_on(rule, list(files), [4] * (windows // 4), fetch, lambda _: True)
    return last, counts, asked


def test_a_file_that_is_settled_is_not_read_further() -> None:
    """b is next to its bound, a and c are far from theirs and from b."""
    means = {"a": 0.1, "b": 0.5, "c": 0.9}
    all_ = {(file, KLD): spread(mean, 0.02, 60, seed) for seed, (file, mean) in enumerate(means.items())}
    rule = Rule(tuple(Question(file, (Bound(file, KLD, 0.5001, True, 0.0),)) for file in "abc"), None)
    last, counts, asked = read(rule, all_)
    assert (last.why, last.open, counts["b"]) == ("decided", (), 60)
    assert counts["a"] == counts["c"] <= 16
    blocks = counts["a"] // 4
    assert asked == [*((n, "abc") for n in range(blocks)), *((n, "b") for n in range(blocks, 15))]
    report = stop(rule, last, counts, 60, 100)
    assert report["words"] == (
        "Measured on all 6,000 tokens: fewer did not settle what the recipe asks. "
        f"Settled sooner, on fewer: a on {counts['a']}00, c on {counts['c']}00."
    )
    # An asked error is asked of all files.
    assert set(read(Rule(rule.questions, 1e-9), all_)[1].values()) == {60}


def test_a_file_that_another_may_come_close_to_stays() -> None:
    means = {"a": 0.49, "b": 0.5, "c": 0.9}
    noise = spread(0, 0.02, 60)
    all_ = {(file, KLD): [mean + one for one in noise] for file, mean in means.items()}
    rule = Rule((Question("b", (Bound("b", KLD, 0.5001, True, 0.0),)),), None)
    first = look(rule, {key: values[:12] for key, values in all_.items()}, list("abc"), 60)
    assert first.open == ("b",), "on the same windows, a and b differ by 0.01 to the last digit"
    assert first.needed == ("a", "b")


def test_a_settled_file_is_read_again_when_another_comes_close_to_it_after_all() -> None:
    """The windows of b that come after a has left are below those of a: in the end neither is worse."""
    a = spread(0.1, 0.001, 60)
    b = [mean + one for mean, one in zip([0.9] * 4 + [0.05] * 56, spread(0, 0.001, 60, seed=1), strict=True)]
    all_ = {("a", KLD): a, ("b", KLD): b, ("b", SAME_TOP): spread(0.9001, 0.05, 60), ("b", TOKENS): [100] * 60}
    rule = Rule((Question("b", (Bound("b", SAME_TOP, 0.9, False, 0.0),)),), None)
    last, counts, asked = read(rule, all_, "ab")
    assert (last.why, counts) == ("decided", {"a": 60, "b": 60})
    again = asked.index((1, "a"))
    assert asked[:2] == [(0, "ab"), (1, "b")] and again > 2
    assert asked[again : again + 3] == [(1, "a"), (2, "a"), (3, "a")], "what it had not read"


def test_alpha_is_shared_by_all_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[float] = []
    real = deciding.interval

    def heard(values: object, alpha: float, population: int | None = None) -> object:
        if population is not None:
            used.append(alpha)
        return real(values, alpha, population)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(deciding, "interval", heard)
    figures = {(file, KLD): spread(0.5, 0.1, 8) for file in "abc"}
    look(Rule((Question("it holds", (Bound("a", KLD, 0.9, True, 0.0),)),), None), figures, ["a", "b", "c"], 100)
    assert set(used) == {deciding.ALPHA / 4}
    assert len(used) == 4


@pytest.mark.parametrize(("bound", "found"), [(0.9, True), (0.97, True), (0.99, None), (0.999, None), (1.0, None)])
def test_windows_that_all_agree_do_not_settle_a_bound_close_to_one(bound: float, found: bool | None) -> None:
    """They have no spread, but one token in 1016 may still differ."""
    figures = {("a", SAME_TOP): [1.0] * 8, ("a", TOKENS): [127] * 8}
    question = Question("a gate", (Bound("a", SAME_TOP, bound, False, 2.0),))
    assert answer(question, figures, 120, ALPHA) is found
    assert answer(question, figures, 8, ALPHA) is True, "these are all"


@pytest.mark.parametrize(("share", "bound"), [(0.9985, 0.999), (0.995, 0.997), (0.985, 0.99)])
def test_a_gate_on_a_share_is_judged_as_all_windows_judge_it(share: float, bound: float) -> None:
    random, differ = np.random.default_rng(0), 0
    gate = Question("a gate", (Bound("a", SAME_TOP, bound, False, 2.0),))
    for _ in range(60):
        means = [float(one) for one in random.binomial(127, share, 120) / 127]
        figures = {("a", SAME_TOP): means, ("a", TOKENS): [127] * 120, ("a", KLD): [0.001] * 120}
        _, counts, _ = read(Rule((gate,), None), figures, "a")
        both = [means[: counts["a"]], means]
        ends = [np.mean(own) - 2 * np.std(own, ddof=1) / len(own) ** 0.5 for own in both]
        differ += (ends[0] >= bound) != (ends[1] >= bound)
    assert differ <= 1
