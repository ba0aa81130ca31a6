"""What an evaluation may be asked to decide, without numpy: a plan writes it down, ``zoo.judge.deciding`` answers."""

from __future__ import annotations

from dataclasses import dataclass

KLD = "kld_mean_nats"


@dataclass(frozen=True)
class Bound:
    """A limit for the mean of a metric of a file, whose type it is. The mean is moved by ``sigmas`` standard errors to
    its worse side before it is compared."""

    file: str
    metric: str
    bound: float
    at_most: bool
    sigmas: float


@dataclass(frozen=True)
class Question:
    """Whether all bounds hold. words: the question for a person, after "whether"."""

    words: str
    bounds: tuple[Bound, ...]


@dataclass(frozen=True)
class Rule:
    """What ends an evaluation before its texts do: all questions and pairs of files decided, or an error reached.

    questions: None if nothing has to be decided. relative_error: of the mean KLD of every file, None for any.
    """

    questions: tuple[Question, ...] | None
    relative_error: float | None
