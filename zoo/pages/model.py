"""The page of one model. It describes the newest release and lists the older ones."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from catalog.release import Model, Release
from zoo.pages import commands
from zoo.pages.front import CONTEXT, memory_at
from zoo.pages.page import Page, TocEntry, fill
from zoo.pages.text import shortened, visible

ROOT = "../../"
"""The way from a model page to the site's root."""


@dataclass(frozen=True)
class _Section:
    id: str
    title: str
    html: Markup


def model_page(model: Model) -> Page:
    """The sections that apply, in a fixed order."""
    release = model.releases[0]
    sections = [_section(id_, title, model, release) for id_, title in _outline(release)]
    html = fill("model.html", model=model, release=release, sections=sections)
    toc = tuple(TocEntry(section.title, section.id) for section in sections)
    return Page(model.name, shortened(visible(model.summary), 300), html, toc)


def _outline(release: Release) -> list[tuple[str, str]]:
    every = [
        ("use", "What it is for", True),
        ("files", "Files", True),
        ("commands", "Get it and run it", True),
        ("evidence", "Evidence", True),
        ("training", "Training, before and after", release.training is not None),
        ("lineage", "Lineage and licences", True),
        ("dataset", "Dataset", release.dataset is not None),
        ("limits", "Limits", True),
        ("versions", "Versions", True),
        ("provenance", "Provenance", True),
    ]
    return [(id_, title) for id_, title, applies in every if applies]


def _section(id_: str, title: str, model: Model, release: Release) -> _Section:
    html = fill(
        f"model/{id_}.html",
        model=model,
        release=release,
        root=ROOT,
        context=CONTEXT,
        memory=memory_at,
        download=commands.download(model.name, release),
        run=commands.run(release),
    )
    return _Section(id_, title, Markup(html))
