"""What a page is, and the one template environment."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from catalog.memory import logits_bytes
from zoo.files import bundled
from zoo.site.pages import glossary, links, text


@dataclass(frozen=True)
class TocEntry:
    """One line of a page's table of contents; ``id`` is the anchor of its heading."""

    title: str
    id: str


@dataclass(frozen=True)
class Page:
    """A page without its frame. title and description are plain text, html is a safe fragment.

    indexed: whether search engines should list it. shared: whether it has words and a picture for programs that show a
    link to it. image: such a picture, a PNG, from the site's root; empty for the site's own.
    """

    title: str
    description: str
    html: str
    toc: tuple[TocEntry, ...]
    indexed: bool = True
    shared: bool = True
    image: str = ""


@functools.cache
def environment() -> jinja2.Environment:
    """Templates of ``site/templates``: values escaped, unknown names refused, unseen characters shown."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(bundled.site_folder() / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=text.visible_value,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= text.FILTERS
    made.globals |= {
        "logits_bytes": logits_bytes,
        "explained": glossary.explained,
        "evidence_url": links.evidence_url,
        "raw_evidence_url": links.raw_evidence_url,
        "anchor": links.anchor,
        "upstream_url": links.upstream_url,
        "licence_url": links.licence_url,
        "repository_url": links.repository_url,
    }
    return made


ROOT = Markup("\0")
"""Stands for the way to the site's root in a part of a page. No visible text has such a sign."""


def part(template: str, **values: object) -> str:
    """The HTML of a piece that pages at several depths show; ``rooted`` makes it ready for one of them."""
    return fill(template, root=ROOT, **values)


def rooted(parts: Iterable[str], root: str) -> Markup:
    """Parts, one after the other, for a page whose way to the site's root is ``root``."""
    return Markup("".join(parts).replace(ROOT, root))


def fill(template: str, **values: object) -> str:
    """The HTML of one template. ``values`` are escaped on their way in, unless they are Markup."""
    return environment().get_template(template).render(**values)
