"""The front page, and the list of all models in pages of a fixed length."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from zoo.site.pages import chooser, offers
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Facts, Files, Kind, Releases, Site
from zoo.site.pages.page import Page, fill, rooted
from zoo.site.pages.text import visible

DESCRIPTION = "Small language models as GGUF files, each with measured loss and speed and predicted memory."
NEWEST = 12
"""Models on the front page: the ones released last."""

TASKS, NAMED = 8, 4
"""Tasks on the front page, and models named for each."""

_TASK = re.compile(r"[\w ,.+-]{1,60}\Z")
"""A task that is a few words; others are only in the lists."""

LISTED = 100
"""Models on one page of the list."""


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    listed = [fact["model"] for fact in facts]
    newest = sorted(listed, key=lambda model: model["name"])
    newest = sorted(newest, key=lambda model: model["date"], reverse=True)[:NEWEST]
    choosing = chooser.fragment(facts, site, releases, "./")
    rows = rooted((model["row"] for model in newest), "./")
    html = fill(
        "front.html",
        models=rows,
        shown=len(newest),
        count=len(listed),
        tasks=by_task(listed),
        chooser=choosing,
        site=site,
        root="./",
    )
    scripts = chooser.SCRIPTS if listed else ()
    files = {
        "index.html": framed(
            Page("Catalog", DESCRIPTION, html, ()), "", site, scripts=scripts, drift=site.drift
        )
    }
    return {**files, **dict(_lists(listed, site, offers.data_url(offers.of_all(facts), site)))}


def by_task(models: Sequence[Facts]) -> list[tuple[str, int, list[str]]]:
    """(task, number of models, names of the newest ones) of the most frequent tasks; experiments come last."""
    found: dict[str, list[Facts]] = {}
    for model in sorted(models, key=lambda model: model["date"], reverse=True):
        if not model["yanked"] and _TASK.match(model["task"]):
            found.setdefault(model["task"], []).append(model)
    ordered = sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))[:TASKS]
    return [
        (task, len(some), [one["name"] for one in sorted(some, key=lambda one: one["experimental"])][:NAMED])
        for task, some in ordered
    ]


def _lists(models: Sequence[Facts], site: Site, data: str) -> Iterator[tuple[str, str]]:
    pages = [models[start : start + LISTED] for start in range(0, len(models) or 1, LISTED)]
    tasks = sorted({visible(one["task"]) for one in models})
    languages = sorted({visible(language) for one in models for language in one["languages"]})
    for number, batch in enumerate(pages, 1):
        path = list_path(number)
        root = "../" * path.count("/")
        rows = rooted((model["row"] for model in batch), root)
        html = fill(
            "models.html", models=rows, number=number, last=len(pages), root=root, path=list_path,
            count=len(models), tasks=tasks, languages=languages, families=chooser.families(), data=data, site=site,
        )  # fmt: skip
        title = "All models" if number == 1 else f"All models, page {number}"
        page = Page(title, f"The {len(models):,} models of this zoo, sorted by name.", html, ())
        scripts = ("models.js",) if models else ()
        yield f"{path}index.html", framed(page, path, site, scripts=scripts)


def list_path(number: int) -> str:
    """The address of a page of the list. No model has a name with a capital letter."""
    return "models/" if number == 1 else f"models/P{number}/"


KIND = Kind("front", whole=_whole, needs=("model", "offers", "about"))
