"""What a kind of page is. A kind is one module; the builder of the site knows nothing else about it.

Most pages are about one model, so a kind has up to two halves. ``each`` gets one model and returns its pages and its
*facts*: the little that pages about all models need of it. ``whole`` gets the facts of every model, sorted by name, and
a way to look at one release, and returns the pages about all of them. Both are pure, so the builder keeps what ``each``
returned for as long as the model, the program and the ``Site`` are the same, and what ``whole`` returned for as long as
the facts are that it needs. Facts hold rows of tables as ready HTML (``page.part``), so that pages about all models are
only put together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from catalog.release import Model, Release
from catalog.watch import Badge

Files = Mapping[str, str | bytes]
"""Path on the site, from its root -> content. A page is ``.../index.html`` and reached as ``.../``."""

Facts = Mapping[str, Any]
"""Of one model: name of the kind -> what it keeps, plain JSON data. Only the kind itself knows its form, and says it
where it takes it up."""

Evidence = Callable[[str, str], bytes | None]
"""(version, path) -> content of an evidence file of the model, checked against the catalog; None if it lists none."""


Releases = Callable[[str], Release]
"""Name of a model -> its current release, for pages about all models that need a closer look at a few of them."""


@dataclass(frozen=True)
class Link:
    """A title and its address from the site's root."""

    title: str
    url: str


AS_RECORDED = Badge("as recorded", "at the last watch the hub served every file of this version as recorded")


@dataclass(frozen=True)
class Drift:
    """What the last ``zoo watch`` found. url: its report, from the site's root; releases: (name, version) -> badge,
    without a date if all is as recorded, because pages of models would change every day."""

    url: str
    badge: Badge
    releases: Mapping[tuple[str, str], Badge]

    def by_model(self) -> dict[str, Drift]:
        """What the pages of each watched model show."""
        found: dict[str, dict[tuple[str, str], Badge]] = {}
        for key, badge in self.releases.items():
            found.setdefault(key[0], {})[key] = badge
        return {name: Drift(self.url, AS_RECORDED, mine) for name, mine in found.items()}


@dataclass(frozen=True)
class Site:
    """What pages know about the site around them.

    documents: the entries of the documents' navigation; document_pages: the paths of all of them. address: where the
    site is served, with a final slash; empty when unknown. assets: path below ``assets/`` -> start of its digest.
    drift: None when the zoo was never watched. carried: the files of releases that the site has itself, by address
    from its root. engine: whether the page "Try it" can run a model. program: where pip finds this program; empty if
    that is not known.
    """

    name: str = "Model zoo"
    documents: tuple[Link, ...] = ()
    document_pages: tuple[str, ...] = ()
    address: str = ""
    assets: Mapping[str, str] = field(default_factory=dict)
    drift: Drift | None = None
    carried: Set[str] = frozenset()
    engine: bool = False
    program: str = ""

    def asset(self, path: str) -> str:
        """Address of an asset from the site's root; it changes when the content changes."""
        version = self.assets.get(path)
        return f"assets/{path}?v={version}" if version else f"assets/{path}"


@dataclass(frozen=True)
class Made:
    """The files of one model, and what pages about all models need of it."""

    files: Files
    facts: object = None


@dataclass(frozen=True)
class Kind:
    """A kind of page. ``name`` is its key among a model's facts. needs: the kinds whose facts ``whole`` reads; it gets
    no others, so its files stay as they are while these facts do."""

    name: str
    each: Callable[[Model, Site, Evidence], Made] | None = None
    whole: Callable[[Sequence[Facts], Site, Releases], Files] | None = None
    needs: tuple[str, ...] = ()
