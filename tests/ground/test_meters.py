"""A line of progress has what is known, and no remaining time before the speed is steady."""

from __future__ import annotations

import pytest

from zoo import meters
from zoo.meters import Meter


def meter(
    what: str, total: float | None, unit: str, done: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> str:
    made = Meter(what, total, unit)
    for part in range(1, 5):
        monkeypatch.setattr(made, "seconds", lambda part=part: seconds * part / 4)
        made.add(done / 4)
    return made.line()


@pytest.mark.parametrize(
    ("total", "unit", "done", "seconds", "line"),
    [
        (None, "rows", 0, 5, "w: 0 rows"),
        (None, "rows", 10, 5, "w: 10 rows, 2.0 rows/s"),
        (200, "rows", 50, 25, "w: 25 %, 50 of 200 rows, 2.0 rows/s, 1 min 15 s left"),
        (60, "steps", 15, 60, "w: 25 %, 15 of 60 steps, 4.0 s each, 3 min 0 s left"),
        (60, "steps", 60, 60, "w: 100 %, 60 of 60 steps, 1.0 steps/s"),
        (60, "steps", 70, 60, "w: 100 %, 70 of 60 steps, 1.2 steps/s"),
        (60, "steps", 0, 0, "w: 0 %, 0 of 60 steps"),
        (0, "steps", 0, 1, "w: 0 steps"),
        (
            5_000_000,
            "tokens",
            1_234_567,
            10,
            "w: 25 %, 1234567 of 5000000 tokens, 123456.7 tokens/s, 31 s left",
        ),
        (4e6, "B", 1e6, 2, "w: 25 %, 1.0 MB of 4.0 MB, 500.0 kB/s, 6 s left"),
        (None, "B", 3e6, 2, "w: 3.0 MB, 1.5 MB/s"),
        (100, "%", 0, 2, "w: 0 %"),
        (100, "%", 25, 2, "w: 25 %, 6 s left"),
        (100, "%", 100, 2, "w: 100 %"),
    ],
)
def test_progress_lines(
    total: float | None, unit: str, done: float, seconds: float, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meter("w", total, unit, done, seconds, monkeypatch) == line


@pytest.mark.parametrize(
    ("clock", "line"),
    [
        ([200], "w: 25 %, 1 of 4 texts, 200.0 s each"),  # it once said "10 min left", and ended a minute later
        ([200, 210, 220], "w: 75 %, 3 of 4 texts, 73.3 s each"),
        ([1, 2, 300], "w: 75 %, 3 of 4 texts, 100.0 s each"),
    ],
)
def test_no_remaining_time_is_shown_while_the_speed_changes(
    clock: list[float], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Meter("w", 4, "texts")
    for now in clock:
        monkeypatch.setattr(made, "seconds", lambda now=now: now)
        made.add(1)
    assert made.line() == line and made.data(over=False)["seconds_left"] is None
    made.total = 400
    for now in range(201, 600):
        monkeypatch.setattr(made, "seconds", lambda now=now: max(now, clock[-1]))
        made.add(0.5)
    assert made.left() == pytest.approx((400 - made.done) / (made.done / 599))
    assert len(made._marks) <= meters._MOST_MARKS
