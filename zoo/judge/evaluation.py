"""The shape of evaluation.json, without numpy: what ``zoo.llama.measure.evaluate`` measures and records read."""

from __future__ import annotations

import math
from typing import NotRequired, TypedDict


class Summary(TypedDict):
    """Figures over some windows, ready for JSON; ``Divergence.summary`` says what they are."""

    kld_mean_nats: float
    kld_mean_se_nats: float | None
    kld_median_nats: float
    kld_p90_nats: float
    kld_p95_nats: float
    kld_p99_nats: float
    kld_p99_9_nats: float
    kld_max_nats: float
    same_top_share: float
    same_top_share_se: float | None
    rms_delta_p: float
    rms_delta_p_se: float | None
    reference_perplexity: float
    reference_perplexity_se: float | None
    perplexity: float
    perplexity_se: float | None
    ln_ppl_ratio: float
    ln_ppl_ratio_se: float | None
    tokens: int
    windows: int


class CurvePoint(TypedDict):
    """In the share ``share_above`` of the positions the KLD is greater than ``kld_nats``."""

    share_above: float
    kld_nats: float


class Rule(TypedDict):
    """How windows were chosen and scored. begin_of_text: whether each begins with the model's begin token."""

    words: str
    window_tokens: int
    scored_tokens_per_window: int
    windows: int
    windows_asked: int
    begin_of_text: bool


class TextTaken(TypedDict):
    """A text: its digest, its tokens, and how many of its windows were used."""

    name: str
    language: str
    sha256: str
    tokens: int
    windows: int


class Perplexity(TypedDict):
    """Perplexity over some windows, with its standard error (None for a single window)."""

    perplexity: float
    perplexity_se: float | None
    tokens: int
    windows: int


class Reference(Perplexity):
    """The reference over all windows, and by language."""

    languages: dict[str, Perplexity]


class Candidate(Summary):
    """A file over all windows, by language, and the distribution of its KLD."""

    languages: dict[str, Summary]
    curve: list[CurvePoint]


class Stop(TypedDict):
    """Why an evaluation that may stop early ended; see ``zoo.judge.deciding``. why: ``decided``, ``relative_error`` or
    ``end``. relative_errors: half the interval of every file's mean KLD over that mean, None while unbounded."""

    until: str | None
    relative_error: float | None
    why: str
    words: str
    windows_at_most: int
    confidence: float
    open: list[str]
    relative_errors: dict[str, float | None]
    method: str


class Ratio(TypedDict):
    """A file's perplexity over its windows, and the logarithm of it over the reference's on the same ones."""

    perplexity: float
    perplexity_se: float | None
    ln_ppl_ratio: float
    ln_ppl_ratio_se: float | None
    tokens: int


class Known(TypedDict):
    """The reference's perplexity."""

    perplexity: float
    perplexity_se: float | None
    tokens: int


def comparable_perplexity(file: Ratio, reference: Known) -> tuple[float, float | None]:
    """The file's perplexity over all windows of the reference, and its standard error.

    Of a file that was settled sooner it is an estimate, by its ratio to the reference: texts differ far more in their
    perplexity than files do. The error is that of a product of independent factors.
    """
    if file["tokens"] == reference["tokens"]:
        return file["perplexity"], file["perplexity_se"]
    ratio = math.exp(min(file["ln_ppl_ratio"], _MOST))
    estimate = reference["perplexity"] * ratio
    if reference["perplexity_se"] is None or file["ln_ppl_ratio_se"] is None:
        return estimate, None
    return estimate, math.hypot(reference["perplexity_se"] * ratio, estimate * file["ln_ppl_ratio_se"])


_MOST = 700.0
"""exp of a little more is beyond a float, and a page must be able to show what a stranger's file says."""


class Evaluation(TypedDict):
    """reference_type: the type of the file that the others were compared with. tokens_sha256: of all windows' ids.
    stop: only where the recipe lets the evaluation end before its texts do."""

    rule: Rule
    texts: list[TextTaken]
    tokens_sha256: str
    reference: Reference
    candidates: dict[str, Candidate]
    reference_type: NotRequired[str]
    stop: NotRequired[Stop]
