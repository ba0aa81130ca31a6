"""When an evaluation may stop: what a release asks of the loss, and whether the windows read so far decide it. Pure.

Every question is about what all windows together would show: the figure that a gate judges, two losses that differ by
more than both standard errors, a loss within a reader's tolerance. It is decided when the confidence sequence of the
mean over all windows (``zoo.judge.sequence``) is entirely on one side. The standard error of all windows is estimated
from those read. All intervals together miss with a probability of at most ALPHA, divided evenly among them.

A file none of whose questions is open need not be read further: its figures are those of fewer windows then, the first
ones of the same order, and two files are compared on the windows that both have.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from catalog.words import counted
from zoo.judge.divergence import Window
from zoo.judge.evaluation import Stop
from zoo.judge.questions import KLD, Bound, Question, Rule
from zoo.judge.sequence import Interval, interval, is_apart

TOKENS, SAME_TOP = "tokens", "same_top_share"
"""The metric that counts the scored tokens of each window, and the one that is a share of them."""

ALPHA = 0.01
"""The probability that any interval of an evaluation ever misses."""

METHOD = (
    "Windows are read in a random order that their tokens determine. After every block, each open question has an "
    "interval for the mean over all windows that stays valid however often one looks (an anytime-valid t-test with a "
    "Gaussian mixture, for windows without replacement); all of them together miss with a probability of at most 1 %, "
    "if means over a window are near enough to Gaussian. A share of tokens must be apart from its bound also by a test "
    "that counts tokens (Krichevsky and Trofimov), because windows that all agree show no spread. A file whose "
    "questions are all settled is not read further, unless one that is might still come close to it. An asked error is "
    "relative to the mean KLD, and counts the windows as drawn from endless text."
)

Key = tuple[str, str]
"""A file's type and a metric."""
Figures = Mapping[Key, Sequence[float]]
"""Means over each window, in the order of reading. Of some files there may be fewer than of others."""

Fetch = Callable[[int, Sequence[str]], Figures]
"""The figures of a block, by its number, of the files that are named."""


class Look(NamedTuple):
    """What some windows say. open: the questions that they leave open; errors: half the interval of every file's mean
    KLD over that mean, None while it is unbounded. why: what ends the evaluation here, None if nothing does. needed:
    the files that have to be read further if nothing does."""

    open: tuple[str, ...]
    errors: Mapping[str, float | None]
    why: str | None
    needed: tuple[str, ...] = ()


def read_on(
    rule: Rule, files: Sequence[str], sizes: Sequence[int], fetch: Fetch, enough: Callable[[int], bool]
) -> tuple[Look, dict[str, int]]:
    """Read blocks of windows until the rule is met or none is left: the last look, and the windows read of each file.

    sizes: the windows of each block. enough: whether so many windows are enough if nothing is open.
    """
    figures: dict[Key, list[float]] = {}
    read = dict.fromkeys(files, 0)
    needed, number = tuple(files), 0
    while True:
        for block in range(number + 1):
            # A file that was settled and is needed again lacks more than this one.
            lacking = [file for file in needed if read[file] == block]
            for key, values in fetch(block, lacking).items() if lacking else ():
                figures.setdefault(key, []).extend(values)
            read.update(dict.fromkeys(lacking, block + 1))
        last = look(rule, figures, files, sum(sizes))
        may_end = enough(sum(sizes[: number + 1]))
        needed = last.needed if may_end else tuple(files)
        if (last.why and may_end) or all(read[file] == len(sizes) for file in needed):
            return last, {file: sum(sizes[:count]) for file, count in read.items()}
        number = min(number + 1, len(sizes) - 1)


def look(rule: Rule, figures: Figures, files: Sequence[str], population: int) -> Look:
    """Judge the windows read so far, of ``population`` in all."""
    questions = rule.questions or ()
    pairs = list(itertools.combinations(files, 2)) if rule.questions is not None else []
    asked = {(bound.file, bound.metric) for question in questions for bound in question.bounds}
    alpha = ALPHA / max(len(asked) + len(pairs), 1)
    open_ = [one for one in questions if answer(one, figures, population, alpha) is None]
    undecided = [pair for pair in pairs if not _decided(*pair, figures, population, alpha)]
    errors = {file: _relative(figures[file, KLD], ALPHA / len(files)) for file in files}
    why = None
    if rule.relative_error is not None and all(_reached(one, rule.relative_error) for one in errors.values()):
        why = "relative_error"
    if rule.questions is not None and not open_ and not undecided:
        why = "decided"
    needed = {bound.file for one in open_ for bound in one.bounds} | {file for pair in undecided for file in pair}
    if rule.questions is None or rule.relative_error is not None:
        needed = set(files)  # an error is asked of every file
    else:
        _add_neighbours(needed, figures, files, population, alpha)
    left = [one.words for one in open_] + [f"{a} and {b} differ in their loss" for a, b in undecided]
    return Look(tuple(left), errors, why, tuple(file for file in files if file in needed))


def _add_neighbours(
    needed: set[str], figures: Figures, files: Sequence[str], population: int, alpha: float
) -> None:
    """Add to ``needed`` the files that are still being read and that one of them may come close to.

    The answer about a pair would stand, but a release compares the means of whatever was read of each.
    """
    most = max(len(figures[file, KLD]) for file in files)
    settled = [file for file in files if file not in needed and len(figures[file, KLD]) == most]
    while beside := [a for a in settled if any(not _clear(a, b, figures, population, alpha) for b in needed)]:
        needed.update(beside)
        settled = [file for file in settled if file not in needed]


def _clear(settled: str, needed: str, figures: Figures, population: int, alpha: float) -> bool:
    """Whether the mean of ``needed`` over all windows is apart from that of ``settled`` over those read."""
    own, other = figures[settled, KLD], figures[needed, KLD]
    low, high = interval(other, alpha, population)
    mean, apart = statistics.fmean(own), _error(own, len(own)) + _error(other, len(other))
    return low > mean + apart or high < mean - apart


def answer(question: Question, figures: Figures, population: int, alpha: float) -> bool | None:
    """Yes, no, or None as long as it is open. One bound that fails answers it."""
    found = [_holds(bound, figures, population, alpha) for bound in question.bounds]
    if False in found:
        return False
    return None if None in found else True


def _holds(bound: Bound, figures: Figures, population: int, alpha: float) -> bool | None:
    """Whether all windows would keep it; None as long as that is open."""
    values = figures[bound.file, bound.metric]
    low, high = interval(values, alpha, population)
    added = bound.sigmas * _error(values, population)
    if bound.metric == SAME_TOP and len(values) < population:
        limit = bound.bound - added if bound.at_most else bound.bound + added
        count = int(sum(figures[bound.file, TOKENS]))
        if not is_apart(statistics.fmean(values), count, min(max(limit, 0.0), 1.0), alpha):
            return None
    if bound.at_most:
        return _within(Interval(low + added, high + added), bound.bound)
    return _within(Interval(added - high, added - low), -bound.bound)


def figures_of(windows: Mapping[str, Sequence[Window]]) -> dict[Key, list[float]]:
    """The means of each file's windows."""
    return {
        (file, metric): [float(mean) for mean in means]
        for file, own in windows.items()
        for metric, means in (
            (KLD, [one.kld_nats.mean() for one in own]),
            (SAME_TOP, [one.same_top.mean() for one in own]),
            (TOKENS, [len(one.same_top) for one in own]),
            ("ln_ppl_ratio", [(one.candidate_nll_nats - one.reference_nll_nats).mean() for one in own]),
        )
    }


def stop(rule: Rule, last: Look, read: Mapping[str, int], population: int, scored_tokens: int) -> Stop:
    """The report of an evaluation that read so many windows of each file, of ``population``. scored_tokens: of one."""
    most = max(read.values())
    why = last.why if last.why and most < population else "end"
    return {
        "until": "decided" if rule.questions is not None else None,
        "relative_error": rule.relative_error,
        "why": why,
        "words": _words(rule, why, most * scored_tokens, population * scored_tokens)
        + (_missed(rule, last.errors) if why == "end" else "")
        + _sooner({file: count * scored_tokens for file, count in read.items() if count < most}),
        "windows_at_most": population,
        "confidence": 1 - ALPHA,
        "open": list(last.open) if why == "relative_error" else [],
        "relative_errors": dict(last.errors),
        "method": METHOD,
    }


def _words(rule: Rule, why: str, tokens: int, most: int) -> str:
    if why == "end":
        return f"Measured on all {counted(tokens, 'token')}: fewer did not settle what the recipe asks."
    if why == "decided":
        reason = "by then every gate, comparison of files and recommendation was settled"
    else:
        reason = f"by then the mean KLD of every file was known to within {100 * (rule.relative_error or 0):g} %"
    return f"Measured on {tokens:,} of {counted(most, 'token')}, because {reason}."


def _missed(rule: Rule, errors: Mapping[str, float | None]) -> str:
    """A sentence about an asked error that all windows together did not reach."""
    if rule.relative_error is None or all(_reached(one, rule.relative_error) for one in errors.values()):
        return ""
    known = {file: error for file, error in errors.items() if error is not None}
    if len(known) < len(errors):
        found = "these are too few windows to know any"
    else:
        worst = max(known, key=lambda file: known[file])
        found = f"the mean KLD of {worst} is known to within {100 * known[worst]:.3g} %"
    return f" The asked error of {100 * rule.relative_error:g} % was not reached: {found}."


def _sooner(tokens: Mapping[str, int]) -> str:
    """A sentence about the files that were read less than the others."""
    if not tokens:
        return ""
    return f" Settled sooner, on fewer: {', '.join(f'{file} on {count:,}' for file, count in tokens.items())}."


def _within(ends: Interval, most: float) -> bool | None:
    if ends.high <= most:
        return True
    return False if ends.low > most else None


def _decided(a: str, b: str, figures: Figures, population: int, alpha: float) -> bool:
    """Whether one of three answers about a pair is certain: a is worse, b is worse, both are alike.

    The interval is that of the windows that both have. A release judges by the means and errors of all that was read,
    and the errors are larger than those of all windows, so it must find the same.
    """
    one, other = figures[a, KLD], figures[b, KLD]
    low, high = interval([x - y for x, y in zip(one, other, strict=False)], alpha, population)
    apart = _error(one, population) + _error(other, population)
    now = _error(one, len(one)) + _error(other, len(other))
    gap = statistics.fmean(one) - statistics.fmean(other)
    if low > apart or high < -apart:
        return gap > now if low > apart else gap < -now
    return -apart <= low and high <= apart and abs(gap) <= now


def _error(values: Sequence[float], population: int) -> float:
    """The standard error of the mean over all windows, by the deviation of those read."""
    return statistics.stdev(values) / math.sqrt(population) if len(values) > 1 else 0.0


def _relative(values: Sequence[float], alpha: float) -> float | None:
    low, high = interval(values, alpha)
    half = (high - low) / 2
    if not math.isfinite(half):
        return None
    mean = abs(statistics.fmean(values))
    return half / mean if mean else (0.0 if not half else None)


def _reached(error: float | None, asked: float) -> bool:
    return error is not None and error <= asked
