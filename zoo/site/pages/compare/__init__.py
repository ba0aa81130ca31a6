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
from zoo.site.pages.kinds import Evidence, Files, Kind, Made, Models, Site
from zoo.site.pages.kinds import Facts as EveryFacts
from zoo.site.pages.page import Page, fill

PATH = "compare/"
NAMES = "compare/names.json"
NEIGHBOURS, LISTED = 60, 200
"""Models in the ranking that have a page with the next one, and models whose page of files is linked in a list."""


class Facts(TypedDict):
    """Of one model: its files, and what can be compared of the recommended one."""

    name: str
    version: str
    types: list[str]
    best: Comparable | None


@dataclass(frozen=True)
class Pair:
    """Two files next to each other on a page. url: where one of them can be compared with others."""

    title: str
    html: Markup
    url: str


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    release = pick.current(model)
    if release is None:
        return Made({}, None)
    found = figures.of(model, release, evidence(release.version, "probes.json"))
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
    files: dict[str, str | bytes] = {f"models/{model.name}/compare.json": text}
    path = f"models/{model.name}/compare/"
    pairs = [
        Pair(f"{a['type']} and {b['type']}", _pair(found, a, found, b, (a["type"], b["type"])), _url(a))
        for a, b in itertools.pairwise(found["files"])
    ]
    title = f"Compare the files of {model.name}"
    words = f"The files of version {release.version} from the largest to the smallest, each with the next smaller one."
    html = fill("compare/pairs.html", title=title, words=words, pairs=pairs, root="../../../")
    page = Page(title, words, html, (), indexed=bool(pairs))
    files[f"{path}index.html"] = framed(page, path, site)
    device = devices.find(BOARD)
    context = min(pick.CONTEXT_TOKENS, release.architecture.context_tokens)
    chosen = pick.Shelf(release).take(device, context) if device and context > 0 else None
    taken = chosen or min(release.files, key=lambda file: (file.size_bytes, file.path))
    best = next(one for one in found["files"] if one["path"] == figures.path_of(taken))
    facts: Facts = {
        "name": model.name,
        "version": release.version,
        "types": [one["type"] for one in found["files"]],
        "best": None if model.experimental else {**found, "files": [best], "samples": _only(found, best["type"])},
    }
    return Made(files, facts)


def _only(found: Comparable, type_: str) -> list[figures.Sample]:
    return [
        {**one, "answers": {type_: one["answers"][type_]}} for one in found["samples"] if type_ in one["answers"]
    ]


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


def _whole(facts: Sequence[EveryFacts], site: Site, models: Models) -> Files:
    mine: dict[str, Facts] = {one["compare"]["name"]: one["compare"] for one in facts if one["compare"]}
    order = [one.entry.name for one in ranking.rank(offers.entries(offers.of_all(facts), models))]
    best = [found for name in order if name in mine and (found := mine[name]["best"])]
    made: dict[str, str | bytes] = {}
    ranked = []
    for a, b in itertools.pairwise(best[:NEIGHBOURS]):
        path = f"{PATH}{a['name']}/{b['name']}/"
        title = f"{a['name']} and {b['name']}"
        made[f"{path}index.html"] = framed(_neighbours(a, b, title), path, site)
        ranked.append({"url": path, "title": title})
    names = {name: [one["version"], one["types"]] for name, one in mine.items()}
    made[NAMES] = json.dumps(names, ensure_ascii=False, separators=(",", ":")) + "\n"
    device = devices.find(BOARD)
    html = fill(
        "compare/index.html", root="../", names=NAMES, ranked=ranked, device=device.name if device else "",
        of_models=list(mine)[:LISTED], more=max(0, len(mine) - LISTED),
    )  # fmt: skip
    page = Page("Compare", "Two files next to each other: size, memory, speed, tests and answers.", html, ())
    made[f"{PATH}index.html"] = framed(page, PATH, site, scripts=("compare.js",))
    return made


def _neighbours(a: Comparable, b: Comparable, title: str) -> Page:
    sides = a["files"][0], b["files"][0]
    titles = tuple(f"{one['name']} {one['type']}" for one in sides)
    pair = Pair(" and ".join(titles), _pair(a, sides[0], b, sides[1], (titles[0], titles[1])), _url(sides[0]))
    words = f"{title} are next to each other in the ranking of models. Here are their recommended files."
    html = fill("compare/pairs.html", title=title, words=words, pairs=[pair], root="../../../")
    return Page(f"Compare {title}", words, html, ())


KIND = Kind("compare", _each, _whole)
