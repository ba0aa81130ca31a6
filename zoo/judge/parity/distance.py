"""How far the logits of a file are from the folder's, in units of how far the folder's own move under rounding.

A fixed bound on the distance cannot fit every machine. A position of a trained model may be ill-conditioned:
a rounding in the last bit of f16 moves its logits by several percent, and which positions these are differs between
models and between processors that trained them. So every position is measured against itself. ``zoo.training.noise``
runs the folder several times with rounded inputs of its matrices; the root mean square of how far a position's logits
move is its *own noise*. The file's distance divided by it is the position's *ratio*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.judge.parity.seen import Distances, Logits

F16_ROUNDING = 2.0**-11
"""Largest relative rounding error of one f16 number."""

FLOOR = F16_ROUNDING / 4
"""Least own noise of a position. Rounding the inputs of the head alone moves logits by 0.4 roundings on average, so no
f16 model is quieter; a model that computes in float32 may be, and its ratio must not divide by zero."""

MOST_MEAN = 1.0
"""Largest mean ratio, over all positions and over those of each text. In float32 the file may not be further from the
folder than roundings of the export's type move the folder itself. Valid files are at 0.0006 to 0.002, and where
llama.cpp looks the activation function up in a table of f16 at 0.3 (Gemma 2) to 0.82 (Falcon). That table alone cannot
bring a valid file to 1: a rounding has 0.54 of the variance of a random error of the same largest size (the mean of
1 / m^2 over mantissas m, which are log-uniform), and own noise is made of one rounding and two random errors, so the
ratio tends to sqrt(0.54 / ((0.54 + 1 + 1) / 3)) = 0.80."""

CAP = 4.0
"""A position counts in the mean with at most this ratio, and beyond it as a bad one. Different draws of the same
rounding differ by at most 3.6 at any of 530 positions of SmolLM2-135M and its pruned student."""

MOST_BEYOND = 0.01
"""Largest share of bad positions. A discrete choice inside a model (an expert, a tie) can flip without its noise having
been seen to flip, so that a few positions prove nothing; a fault of the file moves most positions."""


@dataclass(frozen=True)
class Worst:
    """The position with the largest ratio: number of the text and of the token, the distance and its own noise."""

    text: int
    token: int
    distance: float
    own_noise: float


@dataclass(frozen=True)
class Figures:
    """What is judged. mean_ratio, text_ratios: of ratios capped at CAP, in units of the allowance. share_beyond: of
    positions beyond CAP. mean_distance: before any division. allowance: own noises that a position may be apart.
    """

    positions: int
    allowance: float
    mean_distance: float
    median_ratio: float
    mean_ratio: float
    text_ratios: tuple[float, ...]
    share_beyond: float
    worst: Worst

    @property
    def sound(self) -> bool:
        """Whether all figures are within the bounds."""
        means = (self.mean_ratio, *self.text_ratios)
        return max(means) <= MOST_MEAN and self.share_beyond <= MOST_BEYOND


def figures(apart: Sequence[Distances], own: Sequence[Distances], allowance: float = 1.0) -> Figures:
    """Distances and own noise, text by text, put together. A distance that is not a number is a bad position."""
    scales = [allowance * np.maximum(np.where(np.isfinite(noise), noise, 0.0), FLOOR) for noise in own]
    ratios = [np.where(np.isfinite(d), d, math.inf) / scale for d, scale in zip(apart, scales, strict=True)]
    every = np.concatenate(ratios)
    text = int(np.argmax([ratio.max() for ratio in ratios]))
    token = int(np.argmax(ratios[text]))
    worst = Worst(text, token, float(apart[text][token]), float(scales[text][token] / allowance))
    return Figures(
        positions=len(every),
        allowance=allowance,
        mean_distance=float(np.concatenate(list(apart)).mean()),
        median_ratio=float(np.median(every)),
        mean_ratio=float(np.minimum(every, CAP).mean()),
        text_ratios=tuple(float(np.minimum(ratio, CAP).mean()) for ratio in ratios),
        share_beyond=float((every > CAP).mean()),
        worst=worst,
    )


def engine_allowance(longest_row: int) -> float:
    """How many own noises a file may be apart when the engine computes in f16, on any processor.

    Most engines add products up in float32 and are at about one own noise. ARM's kernels (ggml's tinyBLAS) add them up
    in f16, eight lanes at a time: a row of K weights takes n = K / 8 additions in each lane. The partial sum of a lane
    grows as a random walk, each addition rounds it by 0.4 roundings, and the eight lanes together are off by
    0.4 * sqrt(n / 2) roundings of the result. The own noise comes from inputs that are off by 0.55 roundings. The
    quotient is 0.73 * sqrt(K / 16); twice that is allowed, and never less than twice an own noise.
    Emulated on SmolLM2's pruned student (K up to 1536: 7.2) the ratio is 4.4.
    """
    return 2 * max(1.0, 0.73 * math.sqrt(longest_row / 16))


def relative_errors(ours: Logits, theirs: Logits) -> Distances:
    """[positions]: the root mean square of the difference of two rows of logits, as a share of that of ``ours``.

    Both rows are taken without their mean, which softmax does not see. Not finite where a logit is not.
    """
    with np.errstate(all="ignore"):
        one = ours - ours.mean(axis=1, keepdims=True, dtype=np.float64)
        apart = theirs - theirs.mean(axis=1, keepdims=True, dtype=np.float64) - one
        spread = np.sqrt(np.square(one).mean(axis=1))
        wrong = np.sqrt(np.square(apart).mean(axis=1))
        return np.asarray(np.where(wrong == 0, 0.0, wrong / spread), dtype=np.float64)


def own_noise(runs: Sequence[Distances]) -> Distances:
    """[positions]: root mean square over runs. A run that is not finite (f16 overflows) does not excuse the file."""
    found = np.stack(list(runs))
    return np.asarray(np.sqrt(np.square(np.where(np.isfinite(found), found, 0.0)).mean(axis=0)))
