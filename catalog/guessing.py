"""Shares of right answers: their interval, and whether guessing would do as well. Pure."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: 95 % lie within."""

CHANCE = {"pairs_en": 0.5, "pairs_fr": 0.5}
"""Share of right answers of a probe by guessing: one of two sentences. It is zero for all others."""


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share: that of Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927). It stays within 0 and 1, and is valid for few items and for shares near 0 or 1.

    Raises ValueError without items.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"{correct} of {total} is not a share")
    share, z2 = correct / total, Z * Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    low = 0.0 if correct == 0 else max(middle - half, 0.0)
    high = 1.0 if correct == total else min(middle + half, 1.0)
    return low, high


def expected(probe: str, total: int) -> float:
    """Right answers of ``total`` that guessing gives on average."""
    return CHANCE.get(probe, 0.0) * total
