"""The page of a model, a page for each of its versions, and redirects from its former names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from catalog import licences, maturity, yanks
from catalog.release import Model, Release
from zoo.site.pages import about, pictures, sections, share, trends
from zoo.site.pages.about import About
from zoo.site.pages.charts import Chart
from zoo.site.pages.frame import framed, redirect
from zoo.site.pages.kinds import Evidence, Kind, Made, Site
from zoo.site.pages.page import Page, TocEntry, fill, part
from zoo.site.pages.text import shortened, visible


def model_page(
    model: Model, release: Release, site: Site, drawn: Sequence[Chart], said: About | None = None
) -> Page:
    """Everything about a model, with the figures of ``release`` and its charts."""
    said = said or about.of(model, release)
    found = sections.of_release(model, release, site, drawn, said, whole=True)
    return _page(model, release, site, found, whole=True)


def version_page(model: Model, release: Release, site: Site, said: About | None = None) -> Page:
    """What is about one version only."""
    said = said or about.of(model, release)
    found = sections.of_release(model, release, site, (), said, whole=False)
    return _page(model, release, site, found, whole=False)


class Facts(TypedDict):
    """What lists of models show of one."""

    name: str
    summary: str
    task: str
    languages: list[str]
    licence: str
    version: str
    versions: list[str]
    date: str
    yanked: bool
    experimental: bool
    files: int
    parameters: int
    smallest_bytes: int
    largest_bytes: int


class Listed(Facts):
    """The same with its row in a list, as HTML."""

    row: str


def facts(model: Model) -> Listed:
    """What lists of models show of one, and its row in them."""
    found = _facts(model)
    return {**found, "row": part("models-row.html", model=found)}


def _facts(model: Model) -> Facts:
    release = sections.shown_release(model)
    sizes = [file.size_bytes for file in release.files]
    return {
        "name": model.name,
        "summary": shortened(model.summary, 300),
        "task": shortened(model.task, 100),
        "languages": [shortened(language, 40) for language in model.languages[:20]],
        "licence": shortened(licences.in_words(release.licence), 100),
        "version": release.version,
        "versions": [one.version for one in model.releases],
        "date": release.date,
        "yanked": model.yank_of(release.version) is not None,
        "experimental": model.experimental,
        "files": len(sizes),
        "parameters": release.architecture.parameters,
        "smallest_bytes": min(sizes),
        "largest_bytes": max(sizes),
    }


def _page(
    model: Model, release: Release, site: Site, found: Sequence[sections.Section], *, whole: bool
) -> Page:
    banners = [event for event in yanks.active(model) if whole or event.version == release.version]
    html = fill(
        "model.html", model=model, release=release, sections=found, site=site, banners=banners, whole=whole,
        experimental=maturity.EXPERIMENTAL_WORDS,
    )  # fmt: skip
    toc = tuple(TocEntry(section.title, section.id) for section in found)
    title = model.name if whole else f"{model.name} {release.version}"
    description = shortened(visible(model.summary), 300)
    if not whole:
        description = f"Version {release.version} of {model.name}. {description}"
    return Page(title, description, html, toc, image=share.model_path(model.name))


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    path = f"models/{model.name}/"
    shown = sections.shown_release(model)
    drawn = [*pictures.of_release(model, shown, evidence), *trends.of_model(model, evidence)]
    page = model_page(model, shown, site, drawn, about.of(model, shown, evidence))
    files: dict[str, str | bytes] = {f"{path}index.html": framed(page, path, site)}
    files |= pictures.files(drawn, f"{path}pictures/")
    for release in model.releases:
        place = f"{path}{release.version}/"
        if release == shown:
            page = _short_page(model, release)
        else:
            page = version_page(model, release, site, about.of(model, release, evidence))
        files[f"{place}index.html"] = framed(page, place, site)
    for name in model.former_names:
        files[f"models/{name}/index.html"] = redirect(path, f"models/{name}/", site)
    return Made(files, facts(model))


def _short_page(model: Model, release: Release) -> Page:
    """The page of the version that the model's page describes: its address, and what never changes."""
    html = fill("version.html", model=model, release=release, root="../../../")
    words = f"Version {release.version} of {model.name}: its files and digests."
    return Page(f"{model.name} {release.version}", words, html, (), indexed=False)


KIND = Kind("model", _each)
