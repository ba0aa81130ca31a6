"""Numbers and texts as people read them. Pure; every function returns plain text, except ``prose``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup, escape

from catalog import unseen
from catalog.release import bits_of


def visible(text: str) -> str:
    r"""``text`` with control and direction characters written out, as in ``\u202e``; line breaks and tabs stay."""
    return unseen.visible(text, kept="\n\t")


def visible_value(value: Any) -> Any:
    """``visible`` for what templates print: markup stays as it is, other values become text."""
    return value if isinstance(value, Markup) else visible(str(value))


def shortened(text: str, length: int) -> str:
    """At most ``length`` characters; an ellipsis stands for the rest."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def oneline(text: str) -> str:
    """Words of a catalog inside a line of Markdown for machines: no line break, no sign that would mean something."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(visible(text).split()))


def megabytes(size_bytes: float) -> str:
    """``105.5 MB``: 10^6 bytes, one decimal below 1,000."""
    return _number(size_bytes / 1e6, 1 if size_bytes < 1e9 else 0) + " MB"


def kilobytes(size_bytes: int) -> str:
    """``12.3 kB``: 10^3 bytes, for evidence files."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    return _number(size_bytes / 1e3, 1) + " kB"


def count(number: int) -> str:
    """``134,515,008``."""
    return f"{number:,}"


def millions(number: int) -> str:
    """``134.5 million``."""
    return _number(number / 1e6, 1) + " million"


def bits(value: float) -> str:
    """Bits per weight, two decimals."""
    return _number(value, 2)


def rate(tokens_per_second: float) -> str:
    """Tokens per second: two decimals below 10, one above."""
    return _number(tokens_per_second, 2 if tokens_per_second < 10 else 1)


def seconds(value: float) -> str:
    """``0.35 s``."""
    return _number(value, 2) + " s"


def plus_minus(value: float, error: float | None) -> str:
    """``0.083 ± 0.004``: one digit of the error, two if it begins with 1; the value to the same decimal."""
    if not error or not math.isfinite(error):
        return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:g}"
    two = f"{error:.1e}"
    power = int((two if two.startswith("1") else f"{error:.0e}").split("e")[1])
    decimals = min(max(two.startswith("1") - power, 0), 8)
    return f"{_number(value, decimals)} ± {_number(error, decimals)}"


def percent(share: float, error: float | None) -> str:
    """``96.4 ± 0.5 %`` of a share between 0 and 1."""
    return plus_minus(share * 100, None if error is None else error * 100) + " %"


def listed(words: Sequence[str]) -> str:
    """``a, b, c``; a dash when there is nothing."""
    return ", ".join(words) or "–"


def prose(text: str) -> Markup:
    """Text of a schema description: escaped, with `backticks` as code."""
    parts = re.split(r"`([^`]+)`", visible(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(p) if index % 2 else escape(p) for index, p in enumerate(parts))


FILTERS: dict[str, Callable[..., Any]] = {
    "shortened": shortened,
    "oneline": oneline,
    "megabytes": megabytes,
    "kilobytes": kilobytes,
    "count": count,
    "millions": millions,
    "bits": bits,
    "rate": rate,
    "seconds": seconds,
    "plus_minus": plus_minus,
    "percent": percent,
    "listed": listed,
    "bits_of": bits_of,
    "prose": prose,
}


def _number(value: float, decimals: int) -> str:
    # Beyond a quadrillion no figure of a real model; powers keep the cell narrow.
    return f"{value:,.{decimals}f}" if abs(value) < 1e15 else f"{value:.3g}"
