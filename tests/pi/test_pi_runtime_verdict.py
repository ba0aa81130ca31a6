"""Statistics against values worked out by hand, and every rule that makes a run invalid."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import metrics
from pi_runtime import verdict

GIGAHERTZ = 10**9


def sample(number: int, **changes: Any) -> dict[str, Any]:
    steady = {
        "number": number,
        "prompt_tokens_per_second": 100.0,
        "decode_tokens_per_second": 10.0,
        "time_to_first_token_seconds": 1.3,
        "frequency_hertz": 2 * GIGAHERTZ,
        "throttled_flags": 0,
    }
    return {**steady, **changes}


def report(
    samples: list[dict[str, Any]] | None = None,
    *,
    share: float | None = 0.01,
    board: str | None = "Raspberry Pi 5 Model B Rev 1.0",
    before: int | None = 0,
    after: int | None = 0,
    quota: float | None = None,
    threads: int = 4,
) -> dict[str, Any]:
    samples = samples or [sample(number) for number in range(1, 6)]
    return {
        "samples": samples,
        "summary": verdict.summarise(samples),
        "device": {"board_model": board, "cpu_quota": quota},
        "settings": {"threads": threads},
        "conditions": {
            "others_cpu_share": share,
            "before": {"throttled_flags": before},
            "after": {"throttled_flags": after},
        },
    }


def five(key: str, *values: Any) -> list[dict[str, Any]]:
    return [sample(number, **{key: value}) for number, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    ("values", "lower", "median", "upper"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 2.0, 3.0, 4.0),
        ([5.0, 1.0, 4.0, 2.0, 3.0], 2.0, 3.0, 4.0),
        ([10.0, 20.0], 12.5, 15.0, 17.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 2.75, 4.5, 6.25),
    ],
)
def test_quartiles_interpolate_and_include_the_extremes(
    values: list[float], lower: float, median: float, upper: float
) -> None:
    found = verdict.distribution(values)
    assert (found["lower_quartile"], found["median"], found["upper_quartile"]) == (lower, median, upper)
    assert (found["minimum"], found["maximum"]) == (min(values), max(values))
    assert found["spread"] == pytest.approx((upper - lower) / median)


def test_a_single_sample_has_no_quartiles() -> None:
    found = verdict.distribution([7.0])
    assert found["median"] == 7.0
    assert found["lower_quartile"] is found["upper_quartile"] is found["spread"] is None


def test_a_steady_run_is_valid() -> None:
    assert verdict.reasons(report()) == []


def test_a_machine_without_clock_and_throttle_figures_can_be_valid() -> None:
    samples = [sample(number, frequency_hertz=None, throttled_flags=None) for number in range(1, 6)]
    assert verdict.reasons(report(samples, board=None, before=None, after=None)) == []


@pytest.mark.parametrize(
    ("case", "word"),
    [
        (report([sample(1), sample(2)]), "2 of the 5 required samples"),
        (report(share=0.06), "other processes used 6%"),
        (report(share=None), "could not be read"),
        (report(before=0x4), "throttled now"),
        (report(after=0x50000), "under-voltage has occurred, throttling has occurred"),
        (report(five("throttled_flags", 0, 0x8, 0, 0, 0)), "soft temperature limit now"),
        (report(five("throttled_flags", 0, None, 0, 0, 0)), "could not be read"),
        (report(before=None), "could not be read"),
        (report(five("frequency_hertz", *[2 * GIGAHERTZ] * 4, GIGAHERTZ)), "fell from 2000 to 1000 MHz"),
        (report(five("decode_tokens_per_second", 8.0, 9.0, 10.0, 11.0, 12.0)), "decode speed varies by 20%"),
        (report(five("prompt_tokens_per_second", 8.0, 9.0, 10.0, 11.0, 12.0)), "prompt processing speed varies by 20%"),
    ],
)  # fmt: skip
def test_each_disturbance_is_named(case: dict[str, Any], word: str) -> None:
    found = verdict.reasons(case)
    assert len(found) == 1
    assert word in found[0]


def test_flags_of_an_event_before_the_run_are_not_compared_with_it() -> None:
    old = 0x50000
    samples = [sample(number, throttled_flags=old) for number in range(1, 6)]
    assert verdict.reasons(report(samples, before=old, after=old)) == []


def test_an_event_after_the_kernel_cleared_the_flags_is_seen() -> None:
    samples = five("throttled_flags", 0x50000, 0, 0, 0x10000, 0)
    assert verdict.reasons(report(samples, before=0x50000)) == [
        "the board reported: under-voltage has occurred"
    ]


def test_two_disturbances_are_both_told() -> None:
    assert len(verdict.reasons(report([sample(1)], share=0.5))) == 2


@pytest.mark.parametrize(
    ("quota", "threads", "held"), [(None, 4, False), (4.0, 4, False), (0.5, 1, True), (2, 4, True)]
)
def test_a_quota_below_the_threads_is_no_measurement_of_the_machine(
    quota: float | None, threads: int, held: bool
) -> None:
    found = verdict.reasons(report(quota=quota, threads=threads))
    assert [f"the time of only {quota:g} CPUs" in reason for reason in found] == [True] * held


def test_a_report_of_an_older_version_says_nothing_of_a_quota() -> None:
    older = report()
    del older["device"]["cpu_quota"]
    assert verdict.reasons(older) == []


def test_the_board_and_the_catalog_agree_how_far_a_valid_measurement_spreads() -> None:
    assert verdict.THRESHOLDS["spread_maximum"] == metrics.SPREAD_MAXIMUM
