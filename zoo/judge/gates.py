"""Gates: the recipe's bounds against the measured evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog import budgets
from catalog.metrics import RELEASE_METRICS
from catalog.recipe import Gate, Recipe
from catalog.release import ModelFile, Training

SIGMAS = 2.0
"""A gate judges the unfavourable end of the interval: the value and this many standard errors."""


@dataclass(frozen=True)
class Measured:
    """A value and its standard error (0 for a count); ``interval`` where it is known better than by that."""

    value: float
    se: float = 0.0
    interval: tuple[float, float] | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """What a gate judges: the 95 % interval, else SIGMAS standard errors to both sides."""
        return self.interval or (self.value - SIGMAS * self.se, self.value + SIGMAS * self.se)


@dataclass(frozen=True)
class Verdict:
    """One gate applied to one file (or to the release: file None). judged is the end of the interval that counted."""

    metric: str
    file: str | None
    measured: float | None
    judged: float | None
    bound: float
    kept: bool
    sentence: str


def judge(
    recipe: Recipe, files: tuple[ModelFile, ...], training: Training | None, valid_share: float | None
) -> list[Verdict]:
    """Every gate of the recipe, applied to everything that it is about."""
    verdicts = []
    for gate in recipe.gates:
        if gate.metric in RELEASE_METRICS:
            verdicts.append(_verdict(gate, None, _of_release(gate.metric, training, valid_share)))
            continue
        verdicts += [_verdict(gate, f.type, _of_file(gate.metric, f)) for f in _files(gate, recipe, files)]
    return verdicts


def _files(gate: Gate, recipe: Recipe, files: tuple[ModelFile, ...]) -> Iterator[ModelFile]:
    quants = {*recipe.quantize.ladder, *map(budgets.label_of, recipe.quantize.budgets)}
    for file in files:
        if file.type == gate.file or (gate.file is None and file.type in quants):
            yield file


def _of_file(metric: str, file: ModelFile) -> Measured | None:
    if metric == "size_bytes":
        return Measured(file.size_bytes)
    if metric == "bits_per_weight":
        return Measured(file.bits_per_weight)
    if metric == "smoke_passed":
        return Measured(float(file.smoke_passed))
    if metric.startswith("probe_"):
        found = next((score for score in file.probes if metric == f"probe_{score.probe}_share"), None)
        return (
            Measured(found.correct / found.total, 0.0, (found.share_low, found.share_high)) if found else None
        )
    if metric == "decode_tokens_per_second":
        valid = [speed.decode_tokens_per_second for speed in file.speeds if speed.valid]
        return Measured(max(valid)) if valid else None
    if file.loss is None:
        return None
    return Measured(
        getattr(file.loss, metric),
        getattr(file.loss, f"{metric.removesuffix('_nats')}_se{'_nats' * metric.endswith('_nats')}"),
    )


def _of_release(metric: str, training: Training | None, valid_share: float | None) -> Measured | None:
    if metric == "label_valid_share":
        return Measured(valid_share) if valid_share is not None else None
    if training is None:
        return None
    before, after = training.before, training.after
    if metric == "distill_ppl_ratio":
        return _ratio(after.perplexity, after.perplexity_se, before.perplexity, before.perplexity_se)
    if before.kld_mean_nats is None or after.kld_mean_nats is None:
        return None
    return _ratio(
        after.kld_mean_nats, after.kld_mean_se_nats or 0, before.kld_mean_nats, before.kld_mean_se_nats or 0
    )


def _ratio(top: float, top_se: float, bottom: float, bottom_se: float) -> Measured | None:
    """top / bottom by the delta method, the two taken as independent; None when bottom is 0.

    They are measured on the same conversations, so their errors are positively correlated and this standard error
    is, if anything, too large: the gate errs on the strict side.
    """
    if bottom == 0:
        return None
    ratio = top / bottom
    return Measured(ratio, ((top_se / bottom) ** 2 + (ratio * bottom_se / bottom) ** 2) ** 0.5)


def _verdict(gate: Gate, file: str | None, measured: Measured | None) -> Verdict:
    bound = gate.at_most if gate.at_most is not None else gate.at_least
    assert bound is not None
    words = f"{gate.metric} of {file}" if file else gate.metric
    limit = f"at {'most' if gate.at_most is not None else 'least'} {bound:.6g}"
    if measured is None:
        return Verdict(
            gate.metric,
            file,
            None,
            None,
            bound,
            False,
            f"{words} was not measured validly; it must be {limit}",
        )
    if gate.at_most is not None:
        judged = measured.ends[1]
        over = judged - bound
    else:
        judged = measured.ends[0]
        over = bound - judged
    error = f" ± {measured.se:.2g}" if measured.se else ""
    end = f"; {judged:.6g} at the unfavourable end" if judged != measured.value else ""
    sentence = f"{words} is {measured.value:.6g}{error}{end}; it must be {limit}"
    if over > 0:
        sentence += f" and misses it by {over:.3g}"
    return Verdict(gate.metric, file, measured.value, judged, bound, over <= 0, sentence)
