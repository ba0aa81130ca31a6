"""Texts as people read them on a page, and the filters of the templates. Pure; all return plain text but ``prose``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from catalog import licences, unseen, words
from catalog.release import bits_of, reference_words
from catalog.words import shortened
from zoo.choose.speeds import place_name

__all__ = ["FILTERS", "listed", "oneline", "prose", "shortened", "visible", "visible_value"]


def visible(text: str) -> str:
    r"""``text`` with control and direction characters written out, as in ``\u202e``; line breaks and tabs stay."""
    return unseen.visible(text, kept="\n\t")


def visible_value(value: object) -> str:
    """``visible`` for what templates print: markup stays as it is, other values become text."""
    return value if isinstance(value, Markup) else visible(str(value))


def oneline(text: str) -> str:
    """Words of a catalog in a line of Markdown for machines: no line breaks, and signs with a meaning are escaped."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(visible(text).split()))


def listed(some: Sequence[str]) -> str:
    """``a, b, c``; a dash when there is nothing."""
    return ", ".join(some) or "–"


def prose(text: str) -> Markup:
    """Text of a schema description: escaped, with `backticks` as code."""
    parts = re.split(r"`([^`]+)`", visible(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(p) if index % 2 else escape(p) for index, p in enumerate(parts))


FILTERS: dict[str, Callable[..., object]] = {
    "shortened": shortened,
    "oneline": oneline,
    "data_size": words.data_size,
    "count": words.count,
    "counted": words.counted,
    "licence": licences.in_words,
    "short_count": words.short_count,
    "bits": words.bits,
    "rate": words.rate,
    "seconds": words.measured_seconds,
    "plus_minus": words.plus_minus,
    "percent": words.percent,
    "listed": listed,
    "bits_of": bits_of,
    "reference_words": reference_words,
    "prose": prose,
    "place_name": place_name,
}
