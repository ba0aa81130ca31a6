"""What gates can bound, and how far valid measurements may spread."""

from __future__ import annotations

RELEASE_METRICS = frozenset({"label_valid_share", "distill_kld_ratio", "distill_ppl_ratio"})
"""Metrics of a release as a whole; every other metric belongs to a file."""

LOSS_METRICS = frozenset({"kld_mean_nats", "ln_ppl_ratio", "same_top_share"})
"""What is measured against the exported file."""

SPREAD_MAXIMUM = 0.10
"""Interquartile range over median of a valid speed measurement, at most.

``pi_runtime.verdict`` refuses more, on a board that has nothing else of this program; a test holds both equal.
"""
