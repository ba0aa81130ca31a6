"""An issue that was made by the form for a model, read as what a recipe needs. Pure.

GitHub writes each field as a heading ``### Label`` and its text. The text is a stranger's: it only becomes values of
the recipe, which ``zoo check`` then judges like any other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from catalog import licences
from catalog.unseen import visible

MOST_BYTES = 256 * 1024
NOTHING = "_No response_"
"""What GitHub writes for an empty field."""

LABELS = ("Name", "Source", "Licence", "Languages", "Good at", "Bad at")
"""As the form has them; a test compares."""

_MOST_LINES, _LONGEST = 20, 300


@dataclass(frozen=True)
class Offer:
    """What the form says; "" and () for what is missing. missing: labels of empty fields."""

    name: str
    source: str
    licence: str
    languages: tuple[str, ...]
    good_at: tuple[str, ...]
    bad_at: tuple[str, ...]
    missing: tuple[str, ...]


def parse(body: str) -> Offer:
    """The fields of an issue's text. The first of two headings with one label counts."""
    parts = re.split(r"^### +(.+?) *$", body.replace("\r\n", "\n"), flags=re.MULTILINE)
    found: dict[str, str] = {}
    for label, text in zip(parts[1::2], parts[2::2], strict=True):
        value = visible(text, kept="\n").strip()
        if label in LABELS:
            found.setdefault(label, "" if value == NOTHING else value)
    name, source, licence, languages, good, bad = (found.get(label, "") for label in LABELS)
    missing = tuple(label for label in LABELS if not found.get(label))
    return Offer(
        _line(name),
        _line(source),
        licences.of_hub(_line(licence)) or "",
        tuple(word for word in re.split(r"[\s,;]+", languages) if word),
        _lines(good),
        _lines(bad),
        missing,
    )


def as_yaml(words: tuple[str, ...]) -> str:
    """A list of texts as YAML on one line, whatever is in them."""
    return json.dumps(list(words), ensure_ascii=False)


def _line(text: str) -> str:
    return text.split("\n", 1)[0].strip().strip("`")


def _lines(text: str) -> tuple[str, ...]:
    lines = [re.sub(r"^[-*+] +", "", line.strip())[:_LONGEST].strip() for line in text.split("\n")]
    return tuple(line for line in lines if line)[:_MOST_LINES]
