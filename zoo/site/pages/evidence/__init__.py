"""Pages about the evidence of a release: what was measured, on which machine, and whether it counts. The file itself is
one click further.

Each module has a function that takes the content of a file and returns what its template shows, or None for content
of another form than this program writes: then the page only leads to the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from catalog.release import Model, Release
from zoo.site.pages import links
from zoo.site.pages.evidence import loss, probes, speed, verdicts
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Kind, Made, Site
from zoo.site.pages.page import Page, TocEntry, fill

ROOT = "../../../../../"


class _About(NamedTuple):
    """title and words of a page; read: from the content of its file to what the template shows."""

    title: str
    words: str
    read: Callable[[Release, bytes], object]


_PAGES = {
    "evaluation.json": _About("Loss", "The loss of every quantized file, measured on text", loss.read),
    "probes.json": _About("Task probes", "Questions with right answers, and what every file answered", probes.read),
    "gates.json": _About("Gates", "The bounds that the release must keep, and its figures", verdicts.gates),
    "smoke.json": _About("Smoke test", "Three short checks of every file", verdicts.smoke),
}


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    files: dict[str, str | bytes] = {}
    for release in model.releases:
        for path, page in _pages(model, release, evidence):
            files[f"{path}index.html"] = framed(page, path, site)
    return Made(files)


def _pages(model: Model, release: Release, evidence: Evidence) -> Iterator[tuple[str, Page]]:
    """(address, page) for what the release lists."""
    folder = f"models/{model.name}/{release.version}/evidence/"
    values = {"model": model, "release": release, "root": ROOT}
    for path, about in _PAGES.items():
        raw = links.raw_evidence_url(model.name, release, path)
        if raw is None:
            continue
        shown = about.read(release, evidence(release.version, path) or b"")
        name = links.EVIDENCE_PAGES[path]
        html = fill(f"evidence/{name}.html", shown=shown, raw=raw, title=about.title, words=about.words, **values)
        yield f"{folder}{name}/", _page(model, release, about.title, about.words, html)
    runs = list(speed.runs(model, release, evidence))
    if runs:
        words = "Every run that measured the speed of a file, with its samples, machine and command"
        chart = speed.chart(runs)
        html = fill("evidence/speed.html", runs=runs, chart=chart, title="Speed", words=words, **values)
        toc = tuple(TocEntry(run.title, run.id) for run in runs)
        yield f"{folder}{links.SPEED}/", _page(model, release, "Speed", words, html, toc)


def _page(
    model: Model, release: Release, title: str, words: str, html: str, toc: tuple[TocEntry, ...] = ()
) -> Page:
    whose = f"{model.name} {release.version}"
    return Page(f"{title} of {whose}", f"{words}: {whose}.", html, toc, shared=False)


KIND = Kind("evidence", _each)
