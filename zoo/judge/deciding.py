"""When an evaluation may stop: what a release asks of the loss, and whether the windows read so far decide it. Pure.

Every question is about what all windows together would show: the figure that a gate judges, two losses that differ by
more than both standard errors, a loss within a reader's tolerance. It is decided when the confidence sequence of the
mean over all windows (``zoo.judge.sequence``) is entirely on one side. The standard error of all windows is estimated
from those read. All intervals together miss with a probability of at most ALPHA, divided evenly among them.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from catalog.words import counted
from zoo.judge.divergence import Window
from zoo.judge.evaluation import Stop
from zoo.judge.questions import KLD, Bound, Question, Rule
from zoo.judge.sequence import Interval, interval

ALPHA = 0.01
"""The probability that any interval of an evaluation ever misses."""

METHOD = (
    "Windows are read in a random order that their tokens determine. After every block, each open question has an "
    "interval for the mean over all windows that stays valid however often one looks (an anytime-valid t-test with a "
    "Gaussian mixture, for windows without replacement); all of them together miss with a probability of at most 1 %, "
    "if means over a window are near enough to Gaussian. An asked error is relative to the mean KLD, and counts the "
    "windows as drawn from endless text."
)

Key = tuple[str, str]
"""A file's type and a metric."""
Figures = Mapping[Key, Sequence[float]]
"""Means over each window, in the order of reading."""


class Look(NamedTuple):
    """What some windows say. open: the questions that they leave open; errors: half the interval of every file's mean
    KLD over that mean, None while it is unbounded. why: what ends the evaluation here, None if nothing does."""

    open: tuple[str, ...]
    errors: Mapping[str, float | None]
    why: str | None


def look(rule: Rule, figures: Figures, files: Sequence[str], population: int) -> Look:
    """Judge the windows read so far, of ``population`` in all."""
    questions = rule.questions or ()
    pairs = list(itertools.combinations(files, 2)) if rule.questions is not None else []
    asked = {(bound.file, bound.metric) for question in questions for bound in question.bounds}
    alpha = ALPHA / max(len(asked) + len(pairs), 1)
    left = [one.words for one in questions if answer(one, figures, population, alpha) is None]
    left += [words for a, b in pairs for words in _undecided(a, b, figures, population, alpha)]
    errors = {file: _relative(figures[file, KLD], ALPHA / len(files)) for file in files}
    why = None
    if rule.relative_error is not None and all(_reached(one, rule.relative_error) for one in errors.values()):
        why = "relative_error"
    if rule.questions is not None and not left:
        why = "decided"
    return Look(tuple(left), errors, why)


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
            ("same_top_share", [one.same_top.mean() for one in own]),
            ("ln_ppl_ratio", [(one.candidate_nll_nats - one.reference_nll_nats).mean() for one in own]),
        )
    }


def stop(rule: Rule, last: Look, read: int, population: int, scored_tokens: int) -> Stop:
    """The report of an evaluation that read ``read`` of ``population`` windows. scored_tokens: of one window."""
    why = last.why if last.why and read < population else "end"
    return {
        "until": "decided" if rule.questions is not None else None,
        "relative_error": rule.relative_error,
        "why": why,
        "words": _words(rule, why, read * scored_tokens, population * scored_tokens),
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


def _within(ends: Interval, most: float) -> bool | None:
    if ends.high <= most:
        return True
    return False if ends.low > most else None


def _undecided(a: str, b: str, figures: Figures, population: int, alpha: float) -> Iterator[str]:
    """The question about a pair, while neither of three answers is certain: a is worse, b is worse, both are alike.

    A release judges by the errors of the windows read, which are larger than those of all, so it must find it, too.
    """
    one, other = figures[a, KLD], figures[b, KLD]
    low, high = interval([x - y for x, y in zip(one, other, strict=True)], alpha, population)
    apart, now = (_error(one, count) + _error(other, count) for count in (population, len(one)))
    differ = (low > apart or high < -apart) and abs(statistics.fmean(one) - statistics.fmean(other)) > now
    if not differ and not (-apart <= low and high <= apart):
        yield f"{a} and {b} differ in their loss"


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
