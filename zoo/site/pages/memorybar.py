"""The bar that shows what a file takes of a device's memory. ``site/assets/chooser.js`` draws the same."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.words import data_size
from zoo.choose import candidates
from zoo.choose.candidates import Wish
from zoo.choose.chooser import Offer

WIDTH = 1000
"""Units of the drawing for all of the memory."""

NAMES = {"system": "System", "weights": "Weights", "cache": "KV cache", "buffer": "Buffers", "free": "Free"}
ROOMY, TIGHT = "Fits with room to spare", "Fits, but it is tight"


@dataclass(frozen=True)
class Part:
    """A part of the bar: its kind, its name and size in words, where it begins and how wide it is."""

    kind: str
    name: str
    size: str
    x: int
    width: int


@dataclass(frozen=True)
class Bar:
    """verdict: whether it fits, in words; state: ``roomy`` or ``tight``, for the colour."""

    state: str
    verdict: str
    parts: tuple[Part, ...]


def bar(offer: Offer, wish: Wish) -> Bar:
    """The bar of a recommended file."""
    file, need = offer.pick.file, offer.pick.memory_bytes
    assert file and need is not None
    sizes = candidates.memory_parts(file, offer.ranked.entry.release.architecture, need, wish)
    total, at, parts = sum(sizes), 0, []
    for kind, size in zip(sizes._fields, sizes, strict=True):
        width = round(WIDTH * size / total)
        parts.append(Part(kind, NAMES[kind], data_size(size), at, width))
        at += width
    roomy = need <= candidates.ROOMY_SHARE * wish.device.free_bytes
    return Bar("roomy" if roomy else "tight", ROOMY if roomy else TIGHT, tuple(parts))
