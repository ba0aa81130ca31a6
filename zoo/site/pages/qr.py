"""The QR code of a page's address, made when the site is built: a picture of one dot per module, a tenth of an SVG."""

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
    return Markup(fill("qr.html", address=address, picture=_drawn(address)) if site.address else "")


@functools.lru_cache(maxsize=64)
def _drawn(address: str) -> str:
    """A PNG as the address of an image."""
    import segno

    made = segno.make_qr(address, error="m", mask=0, boost_error=False)
    uri: str = made.png_data_uri(scale=1, border=QUIET)
    return uri
