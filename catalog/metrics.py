"""Metrics that a gate can bound: one row each, with its unit, which way is better, and how it is read from a release.

Adding a metric is adding a row: the recipe's schema, ``zoo check`` and the gates use this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.release import HeldOut, ModelFile, Training

SPREAD_MAXIMUM = 0.10
"""Largest interquartile range over median of a valid speed measurement.

``pi_runtime.verdict`` has the same limit, because a board has no other part of this program; a test compares them.
"""

SIGMAS = 2.0
"""A gate judges the worse end of the interval: the value and this many standard errors."""


@dataclass(frozen=True)
class Measured:
    """A value and its standard error (0 for a count); ``interval`` if a better one is known."""

    value: float
    se: float = 0.0
    interval: tuple[float, float] | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """What a gate judges: the 95 % interval, else SIGMAS standard errors to both sides."""
        return self.interval or (self.value - SIGMAS * self.se, self.value + SIGMAS * self.se)


@dataclass(frozen=True)
class WholeRelease:
    """What metrics of a complete release are read from. valid_share: of the labelled rows, None without labels."""

    training: Training | None
    valid_share: float | None


MADE = "file"
"""Stands for the stage that makes a file: it is exported, quantized or searched."""


@dataclass(frozen=True)
class Metric:
    """One metric: exactly one of ``of_file`` and ``of_release`` reads it, None without a valid measurement.

    unit: as people write it, "" for a plain number. better: ``lower`` or ``higher``. needs: the recipe's section
    without which there is nothing to measure, "" for none; ``probes.NAME`` for a task probe. against_export: it
    compares a file with the exported one, so it does not apply to the exported file itself.

    stage: whose step gives the figure of a release, ``MADE`` for the one that makes the file; a release stops there if
    the gate is missed. "": only the complete release has it.
    """

    unit: str
    better: str
    words: str
    of_file: Callable[[ModelFile], Measured | None] | None = None
    of_release: Callable[[WholeRelease], Measured | None] | None = None
    needs: str = ""
    against_export: bool = False
    stage: str = ""


def _loss(value: str, error: str) -> Callable[[ModelFile], Measured | None]:
    def read(file: ModelFile) -> Measured | None:
        return Measured(getattr(file.loss, value), getattr(file.loss, error)) if file.loss else None

    return read


def _probe(name: str) -> Callable[[ModelFile], Measured | None]:
    def read(file: ModelFile) -> Measured | None:
        found = next((score for score in file.probes if score.probe == name), None)
        return Measured(found.correct / found.total, 0.0, (found.share_low, found.share_high)) if found else None

    return read


def _decode_speed(file: ModelFile) -> Measured | None:
    valid = [speed.decode_tokens_per_second for speed in file.speeds if speed.valid]
    return Measured(max(valid)) if valid else None


def _trained(ratio: Callable[[HeldOut, HeldOut], Measured | None]) -> Callable[[WholeRelease], Measured | None]:
    return lambda whole: ratio(whole.training.after, whole.training.before) if whole.training else None


def _kld_ratio(after: HeldOut, before: HeldOut) -> Measured | None:
    if before.kld_mean_nats is None or after.kld_mean_nats is None:
        return None
    return _ratio(
        after.kld_mean_nats, after.kld_mean_se_nats or 0, before.kld_mean_nats, before.kld_mean_se_nats or 0
    )


def _ppl_ratio(after: HeldOut, before: HeldOut) -> Measured | None:
    return _ratio(after.perplexity, after.perplexity_se, before.perplexity, before.perplexity_se)


def _ratio(top: float, top_se: float, bottom: float, bottom_se: float) -> Measured | None:
    """top / bottom by the delta method, the two taken as independent; None when bottom is 0.

    They are measured on the same conversations, so their errors are positively correlated and this standard error
    is, if anything, too large: the gate errs on the strict side.
    """
    if bottom == 0:
        return None
    ratio = top / bottom
    return Measured(ratio, ((top_se / bottom) ** 2 + (ratio * bottom_se / bottom) ** 2) ** 0.5)


METRICS: Mapping[str, Metric] = {
    "kld_mean_nats": Metric(
        "nats", "lower", "mean KLD from the exported file",
        _loss("kld_mean_nats", "kld_mean_se_nats"), against_export=True, stage="evaluate",
    ),
    "ln_ppl_ratio": Metric(
        "", "lower", "logarithm of perplexity over that of the exported file",
        _loss("ln_ppl_ratio", "ln_ppl_ratio_se"), against_export=True, stage="evaluate",
    ),
    "same_top_share": Metric(
        "", "higher", "share of positions with the same most likely token as the exported file",
        _loss("same_top_share", "same_top_share_se"), against_export=True, stage="evaluate",
    ),
    "bits_per_weight": Metric(
        "bits", "lower", "bits per weight", lambda file: Measured(file.bits_per_weight), stage=MADE
    ),
    "size_bytes": Metric("bytes", "lower", "size of the file", lambda file: Measured(file.size_bytes), stage=MADE),
    "label_valid_share": Metric(
        "", "higher", "share of the labelled rows with a valid answer", needs="label",
        of_release=lambda whole: None if whole.valid_share is None else Measured(whole.valid_share), stage="label",
    ),
    "distill_kld_ratio": Metric(
        "", "lower", "mean KLD from the teacher, trained over untrained", needs="distill",
        of_release=_trained(_kld_ratio), stage="distill",
    ),
    "distill_ppl_ratio": Metric(
        "", "lower", "perplexity, trained over untrained", needs="distill", of_release=_trained(_ppl_ratio),
        stage="distill",
    ),
    "decode_tokens_per_second": Metric(
        "tokens/s", "higher", "fastest valid decode speed", _decode_speed, stage="benchmark"
    ),
    "smoke_passed": Metric(
        "", "higher", "result of the smoke test: 1 is passed, 0 is failed",
        lambda file: Measured(float(file.smoke_passed)),
        stage="evaluate",
    ),
} | {
    f"probe_{name}_share": Metric(
        "", "higher", f"share of right answers of the probe `{name}`", _probe(name), needs=f"probes.{name}",
        stage="probe",
    )
    for name in ("json", "arithmetic", "pairs_en", "pairs_fr", "copying", "stop")
}  # fmt: skip
"""Every metric by its name in recipes."""
