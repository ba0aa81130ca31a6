"""The front page, and the list of all models in pages of a fixed length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.pages import chooser
from zoo.pages.frame import framed
from zoo.pages.kinds import Facts, Files, Kind, Site
from zoo.pages.page import Page, fill

DESCRIPTION = "Small language models as GGUF files: measured loss and speed, and predicted memory, of each."
NEWEST = 12
"""Models on the front page: those that were released last."""

LISTED = 100
"""Models on one page of the list."""


def _whole(facts: Sequence[Facts], site: Site) -> Files:
    models = [fact["model"] for fact in facts]
    newest = sorted(models, key=lambda model: model["name"])
    newest = sorted(newest, key=lambda model: model["date"], reverse=True)[:NEWEST]
    choosing = chooser.fragment(facts, site, "./")
    html = fill("front.html", models=newest, count=len(models), chooser=choosing, site=site, root="./")
    scripts = chooser.SCRIPTS if models else ()
    files = {"index.html": framed(Page("Catalog", DESCRIPTION, html, ()), "", site, scripts=scripts)}
    return {**files, **dict(_lists(models, site))}


def _lists(models: Sequence[Facts], site: Site) -> Iterator[tuple[str, str]]:
    pages = [models[start : start + LISTED] for start in range(0, len(models) or 1, LISTED)]
    for number, batch in enumerate(pages, 1):
        path = list_path(number)
        root = "../" * path.count("/")
        html = fill("models.html", models=batch, number=number, last=len(pages), root=root, path=list_path)
        title = "All models" if number == 1 else f"All models, page {number}"
        page = Page(title, f"The {len(models):,} models of this zoo by name.", html, ())
        yield f"{path}index.html", framed(page, path, site)


def list_path(number: int) -> str:
    """The address of a page of the list. No model has a name with a capital letter."""
    return "models/" if number == 1 else f"models/P{number}/"


KIND = Kind("front", whole=_whole)
