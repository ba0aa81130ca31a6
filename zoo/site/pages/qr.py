"""The QR code of a page's address, made when the site is built."""

from __future__ import annotations

import functools

from markupsafe import Markup

from zoo.site.pages.kinds import Site
from zoo.site.pages.page import fill

QUIET = 4
"""Empty modules around the code (ISO/IEC 18004)."""


def code(site: Site, path: str) -> Markup:
    """A fragment with the code of the page at ``path``; empty if the site has no address."""
    address = site.address + path
    if not site.address:
        return Markup("")
    size, drawn = _drawn(address)
    return Markup(fill("qr.html", address=address, size=size, path=drawn))


@functools.lru_cache(maxsize=64)
def _drawn(address: str) -> tuple[int, str]:
    """Width and height in modules, and a path of SVG whose strokes are the dark modules."""
    import segno

    made = segno.make_qr(address, error="m", mask=0, boost_error=False)
    lines = [
        f"M{column + QUIET} {row + QUIET}.5h{length}"
        for row, modules in enumerate(made.matrix)
        for column, length in _runs(modules)
    ]
    return len(made.matrix) + 2 * QUIET, "".join(lines)


def _runs(modules: bytearray) -> list[tuple[int, int]]:
    """(first column, length) of each run of dark modules."""
    found: list[tuple[int, int]] = []
    for column, dark in enumerate(modules):
        if not dark:
            continue
        if found and sum(found[-1]) == column:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((column, 1))
    return found
