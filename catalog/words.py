"""Numbers as people read them: sizes, rates, counts, durations, errors. The one place that decides how each is written.

``site/assets/core.js`` writes the same in the browser and ``pi_runtime/words.py`` on a board; tests compare the three.
Pure; every function returns plain text.
"""

from __future__ import annotations

import math

_SIZES = (
    (999_950, 1e3, "kB", 1),
    (999_950_000, 1e6, "MB", 1),
    (99_995_000_000, 1e9, "GB", 2),
    (999_950_000_000, 1e9, "GB", 1),
    (math.inf, 1e12, "TB", 2),
)
"""(below so many bytes, unit in bytes, its name, decimals). Each limit is where rounding would reach the next row."""


def fixed(value: float, decimals: int) -> str:
    """``1,234.5``. From a quadrillion on, figures are not real: powers keep a table cell narrow."""
    return f"{value:,.{decimals}f}" if abs(value) < 1e15 else f"{value:.3g}"


def data_size(size_bytes: float) -> str:
    """``512 bytes``, ``12.3 kB``, ``92.5 MB``, ``1.24 GB``, ``103.9 GB``, ``2.05 TB``: 1 kB is 1,000 bytes."""
    size = abs(size_bytes)
    if size < 999.5:
        return counted(round(size_bytes), "byte")
    unit, name, decimals = next(row[1:] for row in _SIZES if size < row[0] or row[0] == math.inf)
    return f"{fixed(size_bytes / unit, decimals)} {name}"


def count(number: int) -> str:
    """``134,515,008``."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 thread``, ``4 threads``, ``1,200 files``. plural: where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def short_count(number: int) -> str:
    """``134.5 million``, ``1.24 billion``; in full below 100,000."""
    if abs(number) < 100_000:
        return count(number)
    if abs(number) < 999_950_000:
        return f"{fixed(number / 1e6, 1)} million"
    return f"{fixed(number / 1e9, 2)} billion"


def rate(per_second: float) -> str:
    """A speed without its unit: two decimals below 10, one above, powers beyond real speeds."""
    if per_second and not 0.01 <= abs(per_second) < 1e6:
        return f"{per_second:.2g}"
    return f"{per_second:,.{2 if per_second < 9.995 else 1}f}"


def duration(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``5 h 10 min``: a waiting time."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def measured_seconds(value: float) -> str:
    """``0.35 s``: a measured time."""
    return f"{fixed(value, 2)} s"


def bits(value: float) -> str:
    """Bits per weight, two decimals."""
    return fixed(value, 2)


def nats(value: float) -> str:
    """Four decimals, or significant digits if they would all be zero."""
    size = abs(value)
    if value == 0 or 0.001 <= size < 1e4:
        return f"{value:.4f}"
    if 1e-8 <= size < 0.001:
        return f"{value:.{1 - int(f'{size:.1e}'.split('e')[1])}f}"
    return f"{value:.2g}"


def plus_minus(value: float, error: float | None) -> str:
    """``0.083 ± 0.004``: one digit of the error, two if it begins with 1; the value to the same decimal."""
    if not error or not math.isfinite(error):
        return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:g}"
    two = f"{error:.1e}"
    power = int((two if two.startswith("1") else f"{error:.0e}").split("e")[1])
    decimals = min(max(two.startswith("1") - power, 0), 8)
    return f"{fixed(value, decimals)} ± {fixed(error, decimals)}"


def percent(share: float, error: float | None) -> str:
    """``96.4 ± 0.5 %`` of a share between 0 and 1."""
    return plus_minus(share * 100, None if error is None else error * 100) + " %"


def shortened(text: str, length: int) -> str:
    """At most ``length`` characters; an ellipsis replaces the rest."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
