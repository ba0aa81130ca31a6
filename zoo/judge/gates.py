"""Gates: the recipe's bounds against the measured evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from catalog import budgets
from catalog.metrics import METRICS, Measured, WholeRelease
from catalog.recipe import Gate, Recipe
from catalog.release import ModelFile, Training


@dataclass(frozen=True)
class Verdict:
    """One gate applied to one file (or to the release: file None). judged is the end of the interval that counts."""

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
    """Every gate of the recipe, applied to every file or the release. Raises KeyError for an unknown metric."""
    whole = WholeRelease(training, valid_share)
    verdicts = []
    for gate in recipe.gates:
        metric = METRICS[gate.metric]
        if metric.of_release:
            verdicts.append(_verdict(gate, None, metric.of_release(whole)))
        elif metric.of_file:
            verdicts += [_verdict(gate, f.type, metric.of_file(f)) for f in _files(gate, recipe, files)]
    return verdicts


def _files(gate: Gate, recipe: Recipe, files: tuple[ModelFile, ...]) -> Iterator[ModelFile]:
    quants = {*recipe.quantize.ladder, *map(budgets.label_of, recipe.quantize.budgets)}
    for file in files:
        if file.type == gate.file or (gate.file is None and file.type in quants):
            yield file


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
            f"{words} has no valid measurement; it must be {limit}",
        )
    if gate.at_most is not None:
        judged = measured.ends[1]
        over = judged - bound
    else:
        judged = measured.ends[0]
        over = bound - judged
    error = f" ± {measured.se:.2g}" if measured.se else ""
    end = f"; {judged:.6g} at the worse end of the interval" if judged != measured.value else ""
    sentence = f"{words} is {measured.value:.6g}{error}{end}; it must be {limit}"
    if over > 0:
        sentence += f" and misses that by {over:.3g}"
    return Verdict(gate.metric, file, measured.value, judged, bound, over <= 0, sentence)
