"""Gates judge the worse end of the interval and report by how much they are missed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from sitesamples import sample

from catalog.metrics import SIGMAS
from catalog.recipe import Gate
from catalog.release import HeldOut, Loss, ModelFile, ProbeScore, Training
from zoo.judge.gates import Verdict, judge


class Fake:
    """As much of a recipe as gates look at."""

    def __init__(self, *gates: Gate, ladder: tuple[str, ...] = ("Q8_0", "Q4_0")) -> None:
        self.gates = gates
        self.quantize = type("Quantize", (), {"ladder": ladder, "budgets": ()})


def gate(
    metric: str, file: str | None = None, *, at_most: float | None = None, at_least: float | None = None
) -> Gate:
    return Gate(metric, file, at_most, at_least)


LOSS = Loss(1000, 0.10, 0.01, 0.5, 0.90, 0.02, 0.04, 0.005)
QUANT = dataclasses.replace(
    sample().models[0].releases[0].files[1], type="Q8_0", loss=LOSS, bits_per_weight=8.5
)
EXPORTED = dataclasses.replace(QUANT, type="F16", loss=None, bits_per_weight=16.0)
SMALL = dataclasses.replace(
    QUANT, type="Q4_0", loss=dataclasses.replace(LOSS, kld_mean_nats=0.3), bits_per_weight=4.5
)


def verdicts(
    *gates: Gate,
    files: tuple[ModelFile, ...] = (EXPORTED, QUANT, SMALL),
    training: Training | None = None,
    valid: float | None = None,
) -> list[Verdict]:
    recipe: Any = Fake(*gates)
    return judge(recipe, files, training, valid)


def held(
    perplexity: float = 10.0, se: float = 0.1, kld: float | None = 1.0, kld_se: float | None = 0.1
) -> HeldOut:
    return HeldOut(40, 4000, perplexity, se, kld, kld_se)


def training(before: HeldOut, after: HeldOut) -> Training:
    return Training("logits", "none", 60, 200, before, after)


def test_sigmas() -> None:
    assert SIGMAS == 2.0


@pytest.mark.parametrize(("bound", "kept"), [(0.1199, False), (0.1201, True), (0.11, False), (0.10, False)])
def test_at_most_judges_the_upper_end(bound: float, kept: bool) -> None:
    (verdict,) = verdicts(gate("kld_mean_nats", "Q8_0", at_most=bound))
    assert verdict.kept is kept
    assert verdict.measured == 0.10 and verdict.judged == pytest.approx(0.12)


@pytest.mark.parametrize(("bound", "kept"), [(0.859, True), (0.861, False), (0.88, False), (0.90, False)])
def test_at_least_judges_the_lower_end(bound: float, kept: bool) -> None:
    (verdict,) = verdicts(gate("same_top_share", "Q8_0", at_least=bound))
    assert verdict.kept is kept
    assert verdict.measured == 0.90 and verdict.judged == pytest.approx(0.86)


def test_a_bound_that_is_just_met_is_kept() -> None:
    (verdict,) = verdicts(gate("bits_per_weight", "Q8_0", at_most=8.5))
    assert verdict.kept


def test_a_gate_without_file_applies_to_the_ladder_and_not_to_the_exported_file() -> None:
    found = verdicts(gate("kld_mean_nats", at_most=0.2))
    assert [(v.file, v.kept) for v in found] == [("Q8_0", True), ("Q4_0", False)]


def test_metrics_of_a_file() -> None:
    found = verdicts(
        gate("ln_ppl_ratio", "Q8_0", at_most=0.0499),
        gate("size_bytes", "Q8_0", at_most=QUANT.size_bytes - 1),
        gate("bits_per_weight", "Q4_0", at_least=4.0),
    )
    assert [(v.measured, v.judged, v.kept) for v in found] == [
        (0.04, pytest.approx(0.05), False), (QUANT.size_bytes, QUANT.size_bytes, False), (4.5, 4.5, True)
    ]  # fmt: skip


def test_speed_counts_only_when_valid() -> None:
    speed = QUANT.speeds[0]
    fast = dataclasses.replace(speed, decode_tokens_per_second=50.0, valid=True)
    disturbed = dataclasses.replace(speed, decode_tokens_per_second=90.0, valid=False)
    mixed = dataclasses.replace(QUANT, speeds=(fast, disturbed))
    (verdict,) = verdicts(gate("decode_tokens_per_second", "Q8_0", at_least=60), files=(mixed,))
    assert (verdict.measured, verdict.kept) == (50.0, False)
    only = dataclasses.replace(QUANT, speeds=(disturbed,))
    (verdict,) = verdicts(gate("decode_tokens_per_second", "Q8_0", at_least=60), files=(only,))
    assert (verdict.measured, verdict.judged, verdict.kept) == (None, None, False)
    assert (
        verdict.sentence
        == "decode_tokens_per_second of Q8_0 has no valid measurement; it must be at least 60"
    )


@pytest.mark.parametrize("metric", ["label_valid_share", "distill_kld_ratio", "distill_ppl_ratio"])
def test_what_was_not_measured_is_not_kept(metric: str) -> None:
    (verdict,) = verdicts(gate(metric, at_most=1e9))
    assert not verdict.kept and verdict.file is None
    assert "has no valid measurement" in verdict.sentence


def test_a_file_without_loss_keeps_no_gate_on_loss() -> None:
    (verdict,) = verdicts(
        gate("kld_mean_nats", "Q8_0", at_most=1e9), files=(dataclasses.replace(QUANT, loss=None),)
    )
    assert not verdict.kept


def test_label_share() -> None:
    assert [v.kept for v in verdicts(gate("label_valid_share", at_least=0.9), valid=0.9)] == [True]
    assert [v.kept for v in verdicts(gate("label_valid_share", at_least=0.9), valid=0.89)] == [False]


def test_ratios_carry_the_errors_of_both() -> None:
    found = verdicts(
        gate("distill_ppl_ratio", at_most=0.48),
        gate("distill_kld_ratio", at_most=0.49),
        training=training(held(20.0, 2.0, 2.0, 0.2), held(8.0, 0.4, 0.8, 0.04)),
    )
    se = 0.4 * math.hypot(0.05, 0.1)
    for verdict in found:
        assert verdict.measured == pytest.approx(0.4)
        assert verdict.judged == pytest.approx(0.4 + 2 * se)
    # 0.4894 is the worse end.
    assert [verdict.kept for verdict in found] == [False, True]


def test_ratio_of_nothing() -> None:
    perfect = training(held(kld=1.0), held(kld=0.0, kld_se=0.01))
    (verdict,) = verdicts(gate("distill_kld_ratio", at_most=0.5), training=perfect)
    assert verdict.measured == 0 and verdict.judged == pytest.approx(0.02) and verdict.kept
    same = training(held(kld=0.0), held(kld=0.0))
    (verdict,) = verdicts(gate("distill_kld_ratio", at_most=0.5), training=same)
    assert not verdict.kept and verdict.measured is None


def test_no_kld_without_logits() -> None:
    (verdict,) = verdicts(
        gate("distill_kld_ratio", at_most=9), training=training(held(kld=None), held(kld=None))
    )
    assert not verdict.kept


def test_sentences_say_by_how_much() -> None:
    found = verdicts(
        gate("kld_mean_nats", "Q8_0", at_most=0.02),
        gate("same_top_share", "Q8_0", at_least=0.95),
        gate("bits_per_weight", "Q8_0", at_most=9),
        gate("label_valid_share", at_least=0.95),
        valid=0.9,
    )
    assert [v.sentence for v in found] == [
        "kld_mean_nats of Q8_0 is 0.1 ± 0.01; 0.12 at the worse end of the interval; it must be at most 0.02 and "
        "misses that by 0.1",
        "same_top_share of Q8_0 is 0.9 ± 0.02; 0.86 at the worse end of the interval; it must be at least 0.95 and "
        "misses that by 0.09",
        "bits_per_weight of Q8_0 is 8.5; it must be at most 9",
        "label_valid_share is 0.9; it must be at least 0.95 and misses that by 0.05",
    ]


def test_a_gate_may_be_about_the_exported_file() -> None:
    probed = dataclasses.replace(EXPORTED, probes=(ProbeScore("stop", None, 9, 10, 0.6, 0.98),))
    found = verdicts(gate("probe_stop_share", "F16", at_least=0.55), files=(probed, QUANT))
    assert [(verdict.file, verdict.kept) for verdict in found] == [("F16", True)]
