"""How far one model's next-token distribution is from another's: pure maths on logits.

With reference logits x and candidate logits y at one position, p = softmax(x), q = softmax(y):

- KLD(p || q) = sum_i p_i (ln p_i - ln q_i) = sum_i p_i (x_i - y_i) - lse(x) + lse(y), in nats,
  with lse = ln sum exp;
- NLL = lse(x) - x_target, in nats; perplexity = exp(mean NLL).

Everything is summed in float64 and nothing is clamped (llama.cpp's perplexity tool clamps ln q at -16).

Neighbouring positions of a text are not independent, so standard errors are taken over windows ("blocks").
For a mean over positions, m = S / N with window sums s_w and window sizes n_w, W windows, the ratio
estimator's variance (Cochran, Sampling Techniques, 1977, section 6.4) is

    var(m) = W / (W - 1) * sum_w (s_w - m n_w)^2 / N^2

and se(f(m)) = |f'(m)| se(m) (the delta method). With a single window a standard error is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from zoo.judge.evaluation import CurvePoint, Summary

Floats = NDArray[np.float64]
_ROWS_AT_ONCE = 4
"""Rows processed at a time: few, so that the float64 copies stay in the processor's cache."""


@dataclass(frozen=True)
class Window:
    """Per-position figures of one window, each of shape (positions,).

    kld_nats; nll in nats and probability of the right token for both models; same_top: whether both models'
    most probable token is the same (of equal logits the lowest id counts).
    """

    kld_nats: Floats
    reference_nll_nats: Floats
    candidate_nll_nats: Floats
    reference_probability: Floats
    candidate_probability: Floats
    same_top: NDArray[np.bool_]

    @property
    def finite(self) -> bool:
        """False if a logit was NaN or infinite, or the candidate rules out what the reference allows."""
        return bool(np.isfinite(self.kld_nats).all() and np.isfinite(self.candidate_nll_nats).all())


def compare(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], targets: NDArray[np.int64]
) -> Window:
    """Compare two models' logits, both of shape (positions, vocabulary), at positions whose right tokens are
    known.

    targets: shape (positions,), the token that really follows each position. Non-finite logits are not an
    error here: they give non-finite figures, see ``Window.finite``. Raises ValueError if the shapes do not
    fit.
    """
    if reference.ndim != 2 or reference.shape != candidate.shape or targets.shape != reference.shape[:1]:
        raise ValueError(f"shapes {reference.shape}, {candidate.shape} and {targets.shape} do not fit")
    count = len(reference)
    kld, lse_x, lse_y = (np.empty(count, dtype=np.float64) for _ in range(3))
    with np.errstate(all="ignore"):
        for start in range(0, count, _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            kld[rows], lse_x[rows], lse_y[rows] = _block(reference[rows], candidate[rows])
        positions = np.arange(count)
        x_nll = lse_x - reference[positions, targets]
        y_nll = lse_y - candidate[positions, targets]
        same = reference.argmax(axis=1) == candidate.argmax(axis=1)
        return Window(kld, x_nll, y_nll, np.exp(-x_nll), np.exp(-y_nll), same)


def nll_nats(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> Floats:
    """Negative log-likelihood of the right tokens, in nats, shape (positions,); logits (positions,
    vocabulary).
    """
    result = np.empty(len(logits), dtype=np.float64)
    with np.errstate(all="ignore"):
        for row, target in enumerate(targets):
            shifted = logits[row] - logits[row].max().astype(np.float64)
            result[row] = np.log(np.exp(shifted).sum()) - shifted[target]
    return result


def _block(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """KLD and both lse of a few rows. The maxima are subtracted first, which does not change the KLD."""
    x_top = reference.max(axis=1, keepdims=True).astype(np.float64)
    y_top = candidate.max(axis=1, keepdims=True).astype(np.float64)
    x = reference - x_top
    y = candidate - y_top
    p = np.exp(x)
    x -= y
    np.exp(y, out=y)
    x_sum = p.sum(axis=1)
    y_lse = np.log(y.sum(axis=1))
    x_lse = np.log(x_sum)
    kld = np.einsum("ij,ij->i", p, x) / x_sum - x_lse + y_lse
    return kld, x_lse + x_top[:, 0], y_lse + y_top[:, 0]


def join(parts: Sequence[Window]) -> Window:
    """Join the parts of one window, in order."""
    names = [field.name for field in fields(Window)]
    return Window(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass
class Divergence:
    """Collects windows, each with a label (a language), and summarises them."""

    windows: list[tuple[str, Window]] = field(default_factory=list)

    def add(self, window: Window, label: str = "") -> None:
        """Add one window of text."""
        self.windows.append((label, window))

    def labels(self) -> list[str]:
        """The labels seen, sorted."""
        return sorted({label for label, _ in self.windows})

    def summary(self, label: str | None = None) -> Summary:
        """The figures over all windows, or over those of one label; ready for JSON, units in the key names.

        kld_*_nats; same_top_share and rms_delta_p (root of the mean squared difference of the right token's
        probability) as fractions of 1; ln_ppl_ratio = ln(candidate perplexity / reference perplexity).
        ``*_se`` is one standard error over windows. Raises ValueError if there is no such window.
        """
        chosen = [window for own, window in self.windows if label is None or own == label]
        if not chosen:
            raise ValueError("no window was measured")
        return _summary(chosen)

    def curve(self) -> list[CurvePoint]:
        """The distribution of the KLD over positions: in the share ``share_above`` of them it is greater than
        ``kld_nats``. Shares go down by ten steps per decade, as far as the number of positions allows.
        """
        kld = np.concatenate([window.kld_nats for _, window in self.windows])
        steps = int(10 * math.log10(len(kld)))
        shares = [10 ** (-step / 10) for step in range(1, steps + 1)]
        values = np.quantile(kld, [1 - share for share in shares])
        return [
            {"share_above": share, "kld_nats": float(value)}
            for share, value in zip(shares, values, strict=True)
        ]


def _summary(chosen: list[Window]) -> Summary:
    def over(values: Callable[[Window], Floats]) -> tuple[float, float | None]:
        return ratio_mean([values(window) for window in chosen])

    kld = np.concatenate([window.kld_nats for window in chosen])
    percentiles = np.percentile(kld, [50, 90, 95, 99, 99.9])
    kld_mean, kld_se = over(lambda window: window.kld_nats)
    same, same_se = over(lambda window: window.same_top.astype(np.float64))
    squared, squared_se = over(
        lambda window: (window.candidate_probability - window.reference_probability) ** 2
    )
    rms = math.sqrt(squared)
    ratio, ratio_se = over(lambda window: window.candidate_nll_nats - window.reference_nll_nats)
    reference, reference_se = perplexity([window.reference_nll_nats for window in chosen])
    candidate, candidate_se = perplexity([window.candidate_nll_nats for window in chosen])
    return {
        "kld_mean_nats": kld_mean,
        "kld_mean_se_nats": kld_se,
        "kld_median_nats": float(percentiles[0]),
        "kld_p90_nats": float(percentiles[1]),
        "kld_p95_nats": float(percentiles[2]),
        "kld_p99_nats": float(percentiles[3]),
        "kld_p99_9_nats": float(percentiles[4]),
        "kld_max_nats": float(kld.max()),
        "same_top_share": same,
        "same_top_share_se": same_se,
        "rms_delta_p": rms,
        "rms_delta_p_se": None if squared_se is None else (squared_se / (2 * rms) if rms else 0.0),
        "reference_perplexity": reference,
        "reference_perplexity_se": reference_se,
        "perplexity": candidate,
        "perplexity_se": candidate_se,
        "ln_ppl_ratio": ratio,
        "ln_ppl_ratio_se": ratio_se,
        "tokens": len(kld),
        "windows": len(chosen),
    }


def ratio_mean(windows: list[Floats]) -> tuple[float, float | None]:
    """Mean over all positions, and its standard error over windows (None for fewer than two)."""
    sums = np.array([window.sum() for window in windows])
    sizes = np.array([len(window) for window in windows], dtype=np.float64)
    mean = float(sums.sum() / sizes.sum())
    count = len(windows)
    if count < 2:
        return mean, None
    variance = count / (count - 1) * float(((sums - mean * sizes) ** 2).sum()) / float(sizes.sum()) ** 2
    return mean, math.sqrt(variance)


def perplexity(nll_nats: list[Floats]) -> tuple[float, float | None]:
    """exp(mean NLL) and its standard error by the delta method, se(PPL) = PPL x se(mean NLL)."""
    mean, error = ratio_mean(nll_nats)
    value = math.exp(mean) if mean < 700 else math.inf
    return value, None if error is None else value * error
