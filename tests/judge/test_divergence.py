"""The maths of divergence, compared with plain formulas, identities and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.judge.divergence import Divergence, Window, compare, nll_nats, perplexity, ratio_mean


def logits(seed: int, rows: int = 21, vocabulary: int = 300, scale: float = 3.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(rows, vocabulary), scale=scale).astype(np.float32)


def targets(seed: int, rows: int = 21, vocabulary: int = 300) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, vocabulary, rows)


def log_softmax(row: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = row.astype(np.float64)
    top = float(wide.max())
    return wide - top - math.log(math.fsum(np.exp(wide - top)))


def test_a_model_against_itself_is_exactly_zero() -> None:
    x = logits(0)
    window = compare(x, x.copy(), targets(1))
    assert (window.kld_nats == 0).all()
    assert window.same_top.all()
    collected = Divergence()
    collected.add(window)
    collected.add(compare(logits(2), logits(2), targets(3)))
    summary = collected.summary()
    zero = (
        "kld_mean_nats",
        "kld_max_nats",
        "kld_p99_9_nats",
        "rms_delta_p",
        "ln_ppl_ratio",
        "kld_mean_se_nats",
    )
    assert [summary[key] for key in zero] == [0.0] * len(zero)
    assert summary["same_top_share"] == 1
    assert summary["perplexity"] == summary["reference_perplexity"]


def test_every_figure_against_the_plain_formula() -> None:
    x, y, right = logits(1), logits(1) + logits(2, scale=0.5), targets(3)
    window = compare(x, y, right)
    for row in range(len(x)):
        p, q = log_softmax(x[row]), log_softmax(y[row])
        assert window.kld_nats[row] == pytest.approx(math.fsum(np.exp(p) * (p - q)), rel=1e-11, abs=1e-13)
        assert window.reference_nll_nats[row] == pytest.approx(-p[right[row]], rel=1e-12)
        assert window.candidate_nll_nats[row] == pytest.approx(-q[right[row]], rel=1e-12)
        assert window.reference_probability[row] == pytest.approx(math.exp(p[right[row]]), rel=1e-11)
        assert window.same_top[row] == (p.argmax() == q.argmax())
    assert nll_nats(x, right) == pytest.approx(window.reference_nll_nats, rel=1e-12)


def test_adding_a_constant_to_logits_changes_nothing() -> None:
    x, y, right = logits(1), logits(2), targets(3)
    shifted = compare(x, (y.astype(np.float64) + 1024).astype(np.float32), right)
    assert shifted.kld_nats == pytest.approx(compare(x, y, right).kld_nats, rel=1e-3)


def test_nothing_is_clamped_and_large_logits_do_not_overflow() -> None:
    x = np.zeros((1, 4), dtype=np.float32)
    y = np.array([[0, 0, 0, -900]], dtype=np.float32)
    window = compare(x, y, np.array([3]))
    # p is uniform, ln q = -ln 3 for three tokens and -900 - ln 3 for the fourth.
    assert window.kld_nats[0] == pytest.approx(-math.log(4) + math.log(3) + 900 / 4, rel=1e-12)
    assert compare(x + 3e38, x + 3e38, np.array([0])).finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_logits_are_seen(bad: float) -> None:
    x, y = logits(1), logits(2)
    assert compare(x, y, targets(3)).finite
    y[5, 7] = bad
    assert not compare(x, y, targets(3)).finite
    assert not compare(y, x, targets(3)).finite


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        compare(logits(1), logits(1)[:, :-1], targets(1))
    with pytest.raises(ValueError, match="do not fit"):
        compare(logits(1), logits(1), targets(1)[1:])
    with pytest.raises(ValueError, match="no window"):
        Divergence().summary()


def test_percentiles_maximum_and_labels() -> None:
    collected = Divergence()
    for label, low in (("en", 0), ("fr", 500)):
        kld = np.arange(low, low + 500, dtype=np.float64)
        ones = np.ones(500)
        collected.add(Window(kld, ones, ones, ones / 2, ones / 4, kld % 2 == 0), label)
    summary = collected.summary()
    keys = (
        "kld_median_nats",
        "kld_p90_nats",
        "kld_p95_nats",
        "kld_p99_nats",
        "kld_p99_9_nats",
        "kld_max_nats",
    )
    assert [summary[key] for key in keys] == pytest.approx([499.5, 899.1, 949.05, 989.01, 998.001, 999])
    assert summary["rms_delta_p"] == 0.25
    assert summary["same_top_share"] == 0.5
    assert (summary["tokens"], summary["windows"]) == (1000, 2)
    assert collected.labels() == ["en", "fr"]
    assert collected.summary("fr")["kld_median_nats"] == 749.5
    assert collected.summary("fr")["kld_mean_se_nats"] is None


def correlated(random: np.random.Generator, windows: int) -> list[NDArray[np.float64]]:
    """Windows of unequal length whose positions share an offset, so they are not independent."""
    return [2 + random.normal() + random.normal(size=random.integers(40, 80)) for _ in range(windows)]


def test_the_standard_error_over_windows_matches_a_simulation() -> None:
    random = np.random.default_rng(7)
    runs = [ratio_mean(correlated(random, 30)) for _ in range(1500)]
    spread = float(np.std([mean for mean, _ in runs]))
    told = float(np.sqrt(np.mean([(error or 0) ** 2 for _, error in runs])))
    assert told == pytest.approx(spread, rel=0.06)
    naive = float(np.std(np.concatenate(correlated(random, 30)))) / math.sqrt(30 * 60)
    assert naive < spread / 3


def test_the_standard_error_of_perplexity_is_the_delta_method() -> None:
    windows = correlated(np.random.default_rng(1), 30)
    mean, error = ratio_mean(windows)
    assert error is not None
    assert perplexity(windows) == pytest.approx((math.exp(mean), math.exp(mean) * error))
    assert perplexity(windows[:1])[1] is None


def test_the_order_of_windows_does_not_matter() -> None:
    parts = [compare(logits(i), logits(i + 50), targets(i)) for i in range(5)]
    forward, backward = Divergence(), Divergence()
    for window in parts:
        forward.add(window)
    for window in reversed(parts):
        backward.add(window)
    assert forward.summary() == pytest.approx(backward.summary())
