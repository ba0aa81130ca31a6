"""The pattern recognizers of Presidio, without its engine and without a model of names. The only place that uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from zoo.errors import InputError

PACKAGE = "presidio-analyzer==2.2.366"
REGIONS = ("CA",)
SHARED = {
    "EMAIL": "EmailRecognizer", "PHONE": "PhoneRecognizer", "CARD": "CreditCardRecognizer", "IBAN": "IbanRecognizer",
    "SIN": "CaSinRecognizer", "IP": "IpRecognizer", "MAC": "MacAddressRecognizer", "POSTAL": "CaPostalCodeRecognizer",
}  # fmt: skip
"""Kinds that both look for, with the recognizer of each."""


class Hit(NamedTuple):
    """What a recognizer found in a text."""

    score: float
    start: int
    end: int


Ask = Callable[[str], list[Hit]]


def recognizer(name: str, **options: object) -> Ask:
    """One of the recognizers. Raises InputError without the package."""
    try:
        # Only here: no part of the program needs it.
        from presidio_analyzer import predefined_recognizers as room
    except ImportError as error:
        raise InputError("Presidio is not installed", remedy=f"pip install {PACKAGE}") from error
    one: Any = getattr(room, name)(**options)
    return lambda text: [Hit(hit.score, hit.start, hit.end) for hit in one.analyze(text, one.supported_entities, None)]


def finder() -> Callable[[str], set[tuple[str, int, int]]]:
    """Finds (kind, start, end) of the SHARED kinds: of two that overlap, what has the higher score, then the longer,
    as Presidio's anonymizer chooses. Telephones are those of REGIONS. Raises InputError without the package."""
    regions = {"supported_regions": REGIONS}
    asks = {kind: recognizer(name, **(regions if kind == "PHONE" else {})) for kind, name in SHARED.items()}

    def find(text: str) -> set[tuple[str, int, int]]:
        hits = [(hit, kind) for kind, ask in asks.items() for hit in ask(text)]
        kept: set[tuple[str, int, int]] = set()
        for hit, kind in sorted(hits, key=lambda one: (-one[0].score, one[0].start - one[0].end)):
            if all(hit.end <= start or end <= hit.start for _, start, end in kept):
                kept.add((kind, hit.start, hit.end))
        return kept

    return find
