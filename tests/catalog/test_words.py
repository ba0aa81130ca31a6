"""Numbers as people read them: one rule each, the same on a board. The browser: tests/browser/test_browser_words.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog import licences, words
from pi_runtime import words as board

ROOT = Path(__file__).resolve().parents[2]

SIZES = {
    0: "0 bytes",
    1: "1 byte",
    999: "999 bytes",
    999.4: "999 bytes",
    999.5: "1.0 kB",
    1000: "1.0 kB",
    6_640: "6.6 kB",
    999_949: "999.9 kB",
    999_950: "1.0 MB",
    98_362_432: "98.4 MB",
    999_949_999: "999.9 MB",
    999_950_000: "1.00 GB",
    1_240_000_000: "1.24 GB",
    12_404_000_000: "12.40 GB",
    99_994_999_999: "99.99 GB",
    99_995_000_000: "100.0 GB",
    103_916_000_000: "103.9 GB",
    999_949_999_999: "999.9 GB",
    999_950_000_000: "1.00 TB",
    2_048_000_000_000: "2.05 TB",
    2**53: "9,007.20 TB",
}

RATES = {
    0: "0.00",
    0.004: "0.004",
    0.5: "0.50",
    9.314: "9.31",
    9.994: "9.99",
    9.996: "10.0",
    39.81: "39.8",
    1234.56: "1,234.6",
    1e9: "1e+09",
}


@pytest.mark.parametrize(("size_bytes", "shown"), SIZES.items())
def test_data_size(size_bytes: float, shown: str) -> None:
    assert words.data_size(size_bytes) == shown


@pytest.mark.parametrize(("speed", "shown"), RATES.items())
def test_rate(speed: float, shown: str) -> None:
    assert words.rate(speed) == shown


def test_nothing_is_too_long_for_a_cell() -> None:
    assert words.data_size(10**40) == "1e+28 TB" and words.data_size(-98_362_432) == "-98.4 MB"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (3599.9, "1 h 0 min"),
        (7380, "2 h 3 min"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_counts() -> None:
    assert words.counted(1, "thread") == "1 thread" and words.counted(1200, "file") == "1,200 files"
    assert words.counted(0, "entry", "entries") == "0 entries"
    assert words.short_count(57_000) == "57,000" and words.short_count(134_515_008) == "134.5 million"
    assert words.short_count(1_711_376_384) == "1.71 billion"
    assert words.measured_seconds(0.351) == "0.35 s"


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.0831, 0.0042, "0.083 ± 0.004"),
        (0.342, 0.0187, "0.342 ± 0.019"),
        (0.00561, 0.00033, "0.0056 ± 0.0003"),
        (14.21, 0.52, "14.2 ± 0.5"),
        (1523.4, 212.0, "1,523 ± 212"),
        (0.5, 0.0096, "0.50 ± 0.01"),
        (0.5, 0.096, "0.5 ± 0.1"),
        (1.25, 0.0, "1.25 ± 0"),
        (1.25, None, "1.25"),
    ],
)
def test_plus_minus(value: float, error: float | None, shown: str) -> None:
    assert words.plus_minus(value, error) == shown


def test_percent() -> None:
    assert words.percent(0.961, 0.0072) == "96.1 ± 0.7 %"


def test_a_board_writes_the_same() -> None:
    """It shares no code with the rest; the memory of one machine stays below a terabyte."""
    for size in SIZES:
        if size < 999_950_000_000:
            assert board.data_size(size) == words.data_size(size)
    for speed in RATES:
        assert board.rate(speed) == words.rate(speed)
    for number in (0, 1, 2, 1000):
        assert board.counted(number, "thread") == words.counted(number, "thread")


def test_no_other_place_writes_a_size_or_a_plural() -> None:
    own = re.compile(r"(1e[369]|10 ?\*\* ?[369])[^{}]*\} ?[kMGT]?B\b(?!/s)|'s' \* \(|toFixed\(\d\)\} [kMGT]B")
    found = []
    for place in ("catalog", "zoo", "pi_runtime", "site/assets", "site/templates"):
        for path in sorted(path for path in (ROOT / place).rglob("*") if path.suffix in (".py", ".js", ".html", ".j2")):
            lines = path.read_text(encoding="utf-8").splitlines() if path.name != "words.py" else []
            found += [f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1) if own.search(line)]
    assert not found


@pytest.mark.parametrize(("expression", "title"), [
    ("Apache-2.0", "Apache-2.0"), ("LicenseRef-Gemma", "Gemma Terms of Use"), ("LicenseRef-House-1.0", "House-1.0"),
    ("MIT AND LicenseRef-Llama-3.2", "MIT AND Llama 3.2 Community License"),
])  # fmt: skip
def test_readers_get_a_licence_by_its_title(expression: str, title: str) -> None:
    assert licences.in_words(expression) == title
