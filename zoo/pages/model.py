"""The page of one model. It describes the newest release and lists the older ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from catalog.memory import CONTEXTS
from catalog.release import MemoryNeed, Model, ModelFile, Release
from zoo.pages import commands, pictures
from zoo.pages.charts import Chart
from zoo.pages.frame import framed, redirect
from zoo.pages.kinds import Evidence, Kind, Made, Site
from zoo.pages.page import Page, TocEntry, fill
from zoo.pages.text import shortened, visible
from zoo.probes import report as probe_report

CONTEXT = CONTEXTS[1]
"""The context length that tables compare memory at."""

ROOT = "../../"
"""The way from a model page to the site's root."""


@dataclass(frozen=True)
class _Section:
    id: str
    title: str
    html: Markup


def model_page(model: Model, drawn: Sequence[Chart] = ()) -> Page:
    """The sections that apply, in a fixed order; ``drawn`` are the pictures of the newest release."""
    release = model.releases[0]
    sections = [_section(id_, title, model, release) for id_, title in _outline(release)]
    if drawn:
        after = next(i for i, section in enumerate(sections) if section.id == "evidence") + 1
        sections.insert(after, _Section("pictures", "Pictures", pictures.figures(drawn, "pictures/")))
    html = fill("model.html", model=model, release=release, sections=sections)
    toc = tuple(TocEntry(section.title, section.id) for section in sections)
    return Page(model.name, shortened(visible(model.summary), 300), html, toc)


def memory_at(file: ModelFile) -> MemoryNeed | None:
    """The prediction at CONTEXT, or at the longest context below it that the file has one for."""
    known = [need for need in file.memory if need.context_tokens <= CONTEXT]
    return max(known, key=lambda need: need.context_tokens, default=None)


def facts(model: Model) -> dict[str, Any]:
    """What lists of models show of one."""
    release = model.releases[0]
    sizes = [file.size_bytes for file in release.files]
    return {
        "name": model.name,
        "summary": shortened(model.summary, 300),
        "task": shortened(model.task, 100),
        "languages": [shortened(language, 40) for language in model.languages[:20]],
        "licence": shortened(release.licence, 100),
        "version": release.version,
        "date": release.date,
        "yanked": model.yank_of(release.version) is not None,
        "files": len(sizes),
        "smallest_bytes": min(sizes),
        "largest_bytes": max(sizes),
    }


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    path = f"models/{model.name}/"
    drawn = pictures.of_release(model, model.releases[0], evidence)
    files: dict[str, str | bytes] = {f"{path}index.html": framed(model_page(model, drawn), path, site)}
    files |= pictures.files(drawn, f"{path}pictures/")
    for name in model.former_names:
        files[f"models/{name}/index.html"] = redirect(path, f"models/{name}/", site)
    return Made(files, facts(model))


def _outline(release: Release) -> list[tuple[str, str]]:
    every = [
        ("use", "What it is for", True),
        ("files", "Files", True),
        ("commands", "Get it and run it", True),
        ("evidence", "Evidence", True),
        ("probes", "Task probes", any(file.probes for file in release.files)),
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
        probes=probe_report.rows(release.files),
        download=commands.download(model.name, release),
        run=commands.run(release),
    )
    return _Section(id_, title, Markup(html))


KIND = Kind("model", _each)
