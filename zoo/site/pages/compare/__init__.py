"""Pages that compare two files. In the browser any two; without scripts those that are next to each other: the files of
a model by size, and models by rank."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from markupsafe import Markup

from catalog import device as devices
from catalog.release import Model
from zoo.choose import pick, ranking
from zoo.site.pages import links, offers
from zoo.site.pages.chooser import BOARD
from zoo.site.pages.compare import figures, verdict
from zoo.site.pages.compare.figures import Comparable, Side
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Files, Kind, Made, Releases, Site
from zoo.site.pages.kinds import Facts as EveryFacts
from zoo.site.pages.page import Page, fill

PATH = "compare/"
NAMES = "compare-names.json"
NEIGHBOURS = 60
"""Models that have pages without scripts: the first of the ranking. For a thousand models these pages would be a sixth
of the site."""


class Facts(TypedDict):
    """Of one model: what can be compared, and the type of its recommended file."""

    found: Comparable
    best: str
    experimental: bool


@dataclass(frozen=True)
class Pair:
    """Two files next to each other on a page. url: where one of them can be compared with others."""

    title: str
    html: Markup
    url: str


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site
    release = pick.current(model)
    if release is None:
        return Made({}, None)
    found = figures.of(model, release, evidence(release.version, "probes.json"))
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
    device = devices.find(BOARD)
    context = min(pick.CONTEXT_TOKENS, release.architecture.context_tokens)
    chosen = pick.Shelf(release).take(device, context) if device and context > 0 else None
    taken = chosen or min(release.files, key=lambda file: (file.size_bytes, file.path))
    best = next(one["type"] for one in found["files"] if one["path"] == figures.path_of(taken))
    facts: Facts = {"found": found, "best": best, "experimental": model.experimental}
    return Made({f"models/{model.name}/compare.json": text}, facts)


def _url(side: Side) -> str:
    return links.compare_url(side["name"], side["version"], side["type"])


def _pair(a: Comparable, its: Side, b: Comparable, other: Side, titles: tuple[str, str]) -> Markup:
    html = fill(
        "compare/pair.html",
        titles=titles,
        rows=list(verdict.rows(its, other, a["items"], b["items"])),
        samples=verdict.samples(a, its["type"], b, other["type"]),
    )
    return Markup(html)


def _whole(facts: Sequence[EveryFacts], site: Site, releases: Releases) -> Files:
    mine: dict[str, Facts] = {one["compare"]["found"]["name"]: one["compare"] for one in facts if one["compare"]}
    order = [one.entry.name for one in ranking.rank(offers.entries(offers.of_all(facts), releases))]
    first = [mine[name] for name in order if name in mine][:NEIGHBOURS]
    made: dict[str, str | bytes] = {}
    for one in first:
        path = f"{PATH}{one['found']['name']}/"
        made[f"{path}index.html"] = framed(_of_model(one["found"]), path, site)
    ranked = []
    for a, b in itertools.pairwise(one for one in first if not one["experimental"]):
        title = f"{a['found']['name']} and {b['found']['name']}"
        path = f"{PATH}{a['found']['name']}/{b['found']['name']}/"
        made[f"{path}index.html"] = framed(_neighbours(a, b, title), path, site)
        ranked.append({"url": path, "title": title})
    names = {
        name: [one["found"]["version"], [file["type"] for file in one["found"]["files"]]]
        for name, one in mine.items()
    }
    made[NAMES] = json.dumps(names, ensure_ascii=False, separators=(",", ":")) + "\n"
    device = devices.find(BOARD)
    html = fill(
        "compare/index.html", root="../", names=NAMES, ranked=ranked, device=device.name if device else "",
        of_models=[one["found"]["name"] for one in first], more=len(mine) - len(first),
    )  # fmt: skip
    page = Page("Compare", "Two files next to each other: size, memory, speed, tests and answers.", html, ())
    made[f"{PATH}index.html"] = framed(page, PATH, site, scripts=("compare.js",))
    return made


def _of_model(found: Comparable) -> Page:
    """The files from the largest to the smallest, each with the next smaller one."""
    pairs = [
        Pair(f"{a['type']} and {b['type']}", _pair(found, a, found, b, (a["type"], b["type"])), _url(a))
        for a, b in itertools.pairwise(found["files"])
    ]
    title = f"Compare the files of {found['name']}"
    words = f"The files of version {found['version']} from the largest to the smallest, each with the next smaller one."
    html = fill("compare/pairs.html", title=title, words=words, pairs=pairs, root="../../")
    return Page(title, words, html, (), indexed=bool(pairs))


def _neighbours(a: Facts, b: Facts, title: str) -> Page:
    """Two models, each with its recommended file."""
    ours, theirs = (next(file for file in one["found"]["files"] if file["type"] == one["best"]) for one in (a, b))
    titles = f"{ours['name']} {ours['type']}", f"{theirs['name']} {theirs['type']}"
    pair = Pair(" and ".join(titles), _pair(a["found"], ours, b["found"], theirs, titles), _url(ours))
    words = f"{title} are next to each other in the ranking of models. Here are their recommended files."
    html = fill("compare/pairs.html", title=title, words=words, pairs=[pair], root="../../../")
    return Page(f"Compare {title}", words, html, ())


KIND = Kind("compare", _each, _whole, needs=("compare", "offers"))
