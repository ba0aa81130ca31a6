"""How the sources of models say that they should be sampled, as data. A file's own header is stronger."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.release import Release
from catalog.shapes import shaped

FILE = Path(__file__).parent / "data" / "sampling.json"


class Card(TypedDict):
    """The figures that a model's card gives, by llama.cpp's names. source: the address of the card."""

    source: str
    figures: dict[str, float]


class Sampling(TypedDict):
    """cards: by the repository where a model was first published. default_source: what llama.cpp does otherwise."""

    schema: str
    default_source: str
    cards: dict[str, Card]


@functools.cache
def known() -> Sampling:
    """All of it."""
    return shaped(jsontext.read(FILE), Sampling)


def card_of(release: Release) -> Card | None:
    """What the card of the model says that a release was made from; None if that is not known."""
    upstream = next((one.upstream for one in release.lineage if one.role == "student"), None)
    return known()["cards"].get(upstream or "")
