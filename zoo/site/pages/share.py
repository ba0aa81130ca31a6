"""What other programs show of a link to a page: title, description and a picture (the Open Graph protocol, ogp.me).

The address of a picture has to be absolute, so a site that does not know its own has none.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from catalog.release import Model, ModelFile
from catalog.words import data_size
from zoo.site.pages import sections
from zoo.site.pages.frame import SITE_PICTURE
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Releases, Site
from zoo.site.pages.pixels import LETTER, Picture
from zoo.site.pages.text import visible

WIDTH, HEIGHT = 600, 315
_EDGE = 30
_BARS = 6
_PAPER, _INK, _TEAL, _GREY = range(4)
_PALETTE = ((255, 255, 255), (32, 36, 40), (0, 105, 92), (96, 100, 106))


def model_path(name: str) -> str:
    """The address of a model's picture, from the site's root."""
    return f"models/{name}/share.png"


def model_picture(model: Model, site: Site) -> bytes:
    """Name and summary of a model, and the sizes of its files as bars, as PNG."""
    picture = _paper(site)
    _title(picture, model.name)
    top = 104
    for line in _lines(model.summary, 2, 3):
        picture.words(_EDGE, top, line, 2, _GREY)
        top += 22
    files = sorted(sections.shown_release(model).files, key=lambda file: file.size_bytes)[:_BARS]
    _bars(picture, files, HEIGHT - 20 - 20 * len(files))
    return picture.png()


def site_picture(site: Site, models: int) -> bytes:
    """The name of the site and what it has, as PNG."""
    picture = _paper(site)
    _title(picture, "Find a small model")
    counted = f"{models:,} models" if models != 1 else "1 model"
    lines = ("for Raspberry Pi, Jetson, Mac and PC", "", counted, "with measured loss and speed")
    for number, line in enumerate(lines):
        picture.words(_EDGE, 110 + 28 * number, line, 2, _GREY)
    return picture.png()


def _paper(site: Site) -> Picture:
    picture = Picture(WIDTH, HEIGHT, _PALETTE)
    picture.box(0, 0, WIDTH, 40, _TEAL)
    picture.words(_EDGE, 12, visible(site.name), 2, _PAPER, _TEAL)
    return picture


def _title(picture: Picture, text: str) -> None:
    shown = visible(text)
    scale = max(2, min(5, (WIDTH - 2 * _EDGE) // (LETTER * max(len(shown), 1))))
    picture.words(_EDGE, 60, shown, scale, _INK)


def _lines(text: str, scale: int, most: int) -> list[str]:
    width = (WIDTH - 2 * _EDGE) // (LETTER * scale)
    return textwrap.wrap(visible(text), width, max_lines=most, placeholder=" ...")


def _bars(picture: Picture, files: Sequence[ModelFile], top: int) -> None:
    """The type and size of each file; the longest bar is the largest file."""
    largest = max((file.size_bytes for file in files), default=1) or 1
    for number, file in enumerate(files):
        y = top + 20 * number
        picture.words(_EDGE, y, visible(file.type)[:10], 2, _INK)
        length = max(2, round(270 * file.size_bytes / largest))
        picture.box(165, y, length, 14, _TEAL)
        picture.words(175 + length, y, data_size(file.size_bytes), 2, _INK)


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del evidence
    return Made({model_path(model.name): model_picture(model, site)} if site.address else {})


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    del releases
    return {SITE_PICTURE: site_picture(site, len(facts))} if site.address else {}


KIND = Kind("share", _each, _whole)
