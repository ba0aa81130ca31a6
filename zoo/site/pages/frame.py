"""The frame of a catalog page: head, header, contents, footer. The documents have the theme's frame, which looks the
same.

A page loads nothing from other hosts, and its Content-Security-Policy makes the browser enforce that. All addresses are
relative, so that the site works below any path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from zoo.site.pages.kinds import Drift, Link, Site
from zoo.site.pages.page import Page, fill
from zoo.site.pages.text import shortened, visible

POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
}
"""Content-Security-Policy of a catalog page: no script or style but the site's own files."""

CATALOG = (
    Link("Find a model", ""),
    Link("Models", "models/"),
    Link("Compare", "compare/"),
    Link("Charts", "pictures/"),
)
"""The catalog's own entries of the navigation, before those of the documents."""

STYLES = ("catalog.css", "header.css", "zoo.css", "charts.css", "chooser.css", "runit.css")
"""Assets that the builder of the site joins into one, in this order: a page asks for one file instead of six."""

JOINED = "pages.css"

SITE_PICTURE = "share.png"
"""What programs show with a link to a page that has no picture of its own."""

_BELOW = {"files/": "models/", "boards/": "", "try/": ""}
"""The beginning of an address -> the entry of the navigation that such pages belong to."""


def header(site: Site, root: str, current: str, *, whole: bool, drawer: bool) -> Markup:
    """The header of a page of the catalog or the documents.

    current: the address of an entry of the navigation, from the site's root; None of them for another. whole: the
    page is that entry itself, not one below it. drawer: a button opens the documents' list of pages.
    """
    state = "page" if whole else "true"
    shown = [(link, state if link.url == current else "") for link in (*CATALOG, *site.documents)]
    return Markup(fill("header.html", name=site.name, root=root, links=shown, asset=site.asset, drawer=drawer))


def _entry(path: str) -> str:
    """The entry of the navigation that a catalog page belongs to."""
    if path in {link.url for link in CATALOG}:
        return path
    top = f"{path.split('/')[0]}/"
    return _BELOW.get(top, top)


def framed(
    page: Page,
    path: str,
    site: Site,
    *,
    scripts: Sequence[str] = (),
    policy: Mapping[str, str] | None = None,
    drift: Drift | None = None,
) -> str:
    """The complete HTML document of a page with the address ``path`` (``""``, or words that end with a slash).

    scripts: assets that are loaded as modules. policy: directives that differ from POLICY. drift: what the
    footer shows about the last watch; its date changes every day, so only the front page has it.
    """
    title = site.name if not path else f"{shortened(visible(page.title), 200)} - {site.name}"
    root, entry = "../" * path.count("/") or "./", _entry(path)
    directives = {**POLICY, **(policy or {})}
    return fill(
        "frame.html",
        page=page,
        content=Markup(page.html),
        title=title,
        front=not path,
        root=root,
        site=site,
        header=header(site, root, entry, whole=entry == path, drawer=False),
        styles=JOINED,
        policy=Markup("; ".join(f"{name} {value}" for name, value in directives.items())),
        scripts=scripts,
        canonical=site.address + path if site.address else "",
        image=page.image or SITE_PICTURE,
        indexed=page.indexed,
        shared=page.indexed and page.shared,
        drift=drift,
    )


def redirect(target: str, path: str, site: Site) -> str:
    """A page at ``path`` that redirects to ``target``, both from the site's root, with a link for other browsers."""
    root = "../" * path.count("/")
    return fill("redirect.html", url=root + target, target=target, site=site)
