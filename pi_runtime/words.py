"""Numbers as people read them, as the pages of the project write them; a test of the project compares both."""

from __future__ import annotations

import json


def counted(number: int, noun: str) -> str:
    """``1 thread``, ``4 threads``."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"


def data_size(size_bytes: float) -> str:
    """``512 bytes``, ``12.3 kB``, ``92.5 MB``, ``1.24 GB``: 1 kB is 1,000 bytes. For the memory of one machine."""
    if size_bytes < 999.5:
        return counted(round(size_bytes), "byte")
    if size_bytes < 999_950:
        return f"{size_bytes / 1e3:.1f} kB"
    if size_bytes < 999_950_000:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e9:,.{2 if size_bytes < 99_995_000_000 else 1}f} GB"


def rate(per_second: float) -> str:
    """A speed without its unit: two decimals below 10, one above, powers where no real speed lies."""
    if per_second and not 0.01 <= abs(per_second) < 1e6:
        return f"{per_second:.2g}"
    return f"{per_second:,.{2 if per_second < 9.995 else 1}f}"


def harmless(text: str) -> str:
    """Text of which a terminal shows every character: one that could move its cursor becomes its escape, as in JSON."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
