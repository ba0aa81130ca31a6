"""Median and quartiles of the samples, and whether the run is valid. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from pi_runtime.parsers import NOW_BITS, OCCURRED_BITS, throttle_names
from pi_runtime.shape import Distribution, Report, Sample, Speeds, Summarised
from pi_runtime.words import counted

QUARTILE_RULE = "linear interpolation between samples, extremes included (statistics.quantiles, inclusive)"

THRESHOLDS: dict[str, float] = {
    # Five values are the fewest for which each quartile has a sample on both sides of it.
    "samples_minimum": 5,
    # A twentieth of the machine: an idle desktop stays below, one busy core of four does not. ggml's
    # threads wait for each other, so one core taken away slows down all of them.
    "others_cpu_share_maximum": 0.05,
    # Interquartile range over median. Neighbouring quants of a model differ by about a tenth in size and
    # so in decode speed; a wider spread could not tell them apart.
    "spread_maximum": 0.10,
    # Slowest over fastest clock seen after a sample. One step down of a Pi's governor is below it.
    "frequency_ratio_minimum": 0.90,
}
"""Every limit in one place; they are written into each report."""

SUMMARISED: tuple[Summarised, ...] = (
    "prompt_tokens_per_second",
    "decode_tokens_per_second",
    "time_to_first_token_seconds",
)
SPREAD_CHECKED: dict[Summarised, str] = {
    "prompt_tokens_per_second": "prompt processing speed",
    "decode_tokens_per_second": "decode speed",
}
"""What is judged by its spread, and its name in sentences. Time to first token is the prompt's time once more."""


def distribution(values: Sequence[float]) -> Distribution:
    """Median, quartiles, extremes and relative spread; quartiles and spread are None for a single value."""
    median = statistics.median(values)
    lower: float | None = None
    upper: float | None = None
    spread: float | None = None
    if len(values) >= 2:
        lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
        spread = (upper - lower) / median if median > 0 else None
    return {
        "median": median,
        "lower_quartile": lower,
        "upper_quartile": upper,
        "minimum": min(values),
        "maximum": max(values),
        "spread": spread,
    }


def summarise(samples: Sequence[Sample]) -> Speeds:
    """One distribution for each summarised figure."""

    def over(key: Summarised) -> Distribution:
        return distribution([sample[key] for sample in samples])

    return {
        "prompt_tokens_per_second": over("prompt_tokens_per_second"),
        "decode_tokens_per_second": over("decode_tokens_per_second"),
        "time_to_first_token_seconds": over("time_to_first_token_seconds"),
    }


def reasons(report: Report) -> list[str]:
    """Why this run is not valid; empty if it is valid. Uses only the contents of the report."""
    return [
        *_too_few(report["samples"]),
        *_held_back(report["device"].get("cpu_quota"), report["settings"]["threads"]),
        *busy(report["conditions"]["others_cpu_share"]),
        *_throttled(report),
        *_slowed(report["samples"]),
        *_scattered(report["summary"]),
    ]


def _too_few(samples: Sequence[Sample]) -> list[str]:
    wanted = int(THRESHOLDS["samples_minimum"])
    return [f"only {len(samples)} of the {wanted} required samples"] if len(samples) < wanted else []


def _held_back(quota: float | None, threads: int) -> list[str]:
    """A quota below the threads stops them for part of the time: the figure would be the quota's, not the machine's."""
    if quota is None or quota >= threads:
        return []
    return [f"the quota of the control group gave {counted(threads, 'thread')} the time of only {quota:g} CPUs"]


def busy(share: float | None) -> list[str]:
    """What is to be said about the share of CPU time that other processes used."""
    limit = THRESHOLDS["others_cpu_share_maximum"]
    if share is None:
        return ["the CPU time of other processes could not be read"]
    if share > limit:
        return [f"other processes used {share:.0%} of the machine's CPU time; at most {limit:.0%} is allowed"]
    return []


def _throttled(report: Report) -> list[str]:
    """Flags up at any look, and "has occurred" flags that were not yet up at the look before."""
    before = report["conditions"]["before"]["throttled_flags"]
    looks = [sample["throttled_flags"] for sample in report["samples"]]
    looks.append(report["conditions"]["after"]["throttled_flags"])
    known = [flags for flags in looks if flags is not None]
    if before is None or len(known) < len(looks):
        is_pi = (report["device"]["board_model"] or "").startswith("Raspberry Pi")
        return ["the Raspberry Pi's throttle flags could not be read"] if is_pi else []
    seen, previous = before & NOW_BITS, before
    for flags in known:
        seen |= flags & (NOW_BITS | (OCCURRED_BITS & ~previous))
        previous = flags
    return [f"the board reported: {', '.join(throttle_names(seen))}"] if seen else []


def _slowed(samples: Sequence[Sample]) -> list[str]:
    clocks = [sample["frequency_hertz"] for sample in samples if sample["frequency_hertz"]]
    limit = THRESHOLDS["frequency_ratio_minimum"]
    if len(clocks) >= 2 and min(clocks) / max(clocks) < limit:
        return [f"the clock fell from {max(clocks) / 1e6:.0f} to {min(clocks) / 1e6:.0f} MHz between samples"]
    return []


def _scattered(summary: Speeds) -> list[str]:
    limit = THRESHOLDS["spread_maximum"]
    found = []
    for key, name in SPREAD_CHECKED.items():
        spread = summary[key]["spread"]
        if spread is not None and spread > limit:
            found.append(f"{name} varies by {spread:.0%} between samples; at most {limit:.0%} is allowed")
    return found
