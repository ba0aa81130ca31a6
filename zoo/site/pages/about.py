"""What people say and files answered: strengths, weaknesses, the true source, and sample answers of each file.

``about.json`` of a model has it, so that the browser loads it for the one model that it shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypedDict

from markupsafe import Markup

from catalog import checks
from catalog.jsontext import NotJson
from catalog.jsontext import parse as parse_json
from catalog.jsonvalues import listed, table
from catalog.release import Model, ModelFile, Release, bits_of
from zoo.choose import pick as picks
from zoo.site.pages.kinds import Evidence, Facts, Kind, Made, Site
from zoo.site.pages.page import fill
from zoo.site.pages.text import shortened, visible

PROBES = "probes.json"
LONGEST = 300
"""Characters of a question or an answer that are shown."""


class Example(TypedDict):
    """A question of a probe, and what a file answered. title: the probe's; right: the probe's verdict."""

    title: str
    question: str
    answer: str
    right: bool


class About(TypedDict):
    """Of one model, with the samples of its current release. source: a sentence about a quantized source, or "".

    examples: by path of the file.
    """

    good_at: list[str]
    bad_at: list[str]
    notes: list[str]
    source: str
    examples: dict[str, list[Example]]


Abouts = Callable[[str], About]
"""Name -> what is said about the model."""

NOTHING: About = {"good_at": [], "bad_at": [], "notes": [], "source": "", "examples": {}}


def _none(version: str, path: str) -> None:
    """No evidence."""


def of(model: Model, release: Release, evidence: Evidence = _none) -> About:
    """Everything of one release."""
    return {
        "good_at": [shortened(visible(words), LONGEST) for words in model.good_at],
        "bad_at": [shortened(visible(words), LONGEST) for words in model.bad_at],
        "notes": [shortened(visible(words), 2 * LONGEST) for words in notes(model, release)],
        "source": "" if any(_names_type(words, release) for words in notes(model, release)) else source_words(release),
        "examples": examples(release, evidence(release.version, PROBES)),
    }


def notes(model: Model, release: Release) -> tuple[str, ...]:
    """What is said about the sources: in the catalog for the preferred version, else in the recorded recipe."""
    if model.source_notes is not None and model.preferred()[0].version == release.version:
        return model.source_notes
    recipe = checks.recorded_recipe(release.recipe.text, release.recipe.file)
    return recipe.source_notes if recipe else ()


def _names_type(note: str, release: Release) -> bool:
    """Whether a note already says that the source was quantized, by its type."""
    return bool(release.quantized_source) and str(release.quantized_source) in note


def source_words(release: Release) -> str:
    """That the source was quantized before this release; empty for any other."""
    if not release.quantized_source:
        return ""
    bits = shortened(visible(bits_of(release.quantized_source)), 60)
    return f"The source was already quantized: its weights have {bits}. No file of this release is better than that."


def examples(release: Release, content: bytes | None) -> dict[str, list[Example]]:
    """Two sample answers of each file, by path; none for a release without probes.

    The questions are in the order of the digests of their names, which nobody chooses. Of each file they are the first
    that it answered right and the first that it answered wrong, or the first two if all answers are of one kind.
    """
    try:
        found = list(_questions(parse_json(content.decode()))) if content else []
    except (NotJson, UnicodeDecodeError, KeyError, TypeError, ValueError):
        return {}
    found.sort(key=lambda one: hashlib.sha256(one[0].encode()).digest())
    made = {file.path: _two(file, [(title, item) for _, title, item in found]) for file in release.files}
    return {path: some for path, some in made.items() if some}


def _questions(data: object) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """(name, title of the probe, item) of every question that files answered in words."""
    for probe in listed(table(data)["probes"]):
        for item in listed(table(probe)["items"]):
            if "prompt" in table(item):
                yield str(table(item)["id"]), str(table(probe)["title"]), table(item)


def _two(file: ModelFile, found: Sequence[tuple[str, Mapping[str, object]]]) -> list[Example]:
    every = [one for title, item in found if (one := _example(file, title, item))]
    chosen = [next((one for one in every if one["right"] is wanted), None) for wanted in (True, False)]
    two = [one for one in chosen if one]
    return two if len(two) == 2 else every[:2]


def _example(file: ModelFile, title: str, item: Mapping[str, object]) -> Example | None:
    answer = table(item["answers"]).get(file.type)
    if not isinstance(answer, dict):
        return None
    return {
        "title": shortened(visible(title), 100),
        "question": shortened(visible(str(item["prompt"])), LONGEST),
        "answer": shortened(visible(str(answer["answer"])), LONGEST),
        "right": answer["correct"] is True,
    }


def fragment(about: About, path: str) -> Markup:
    """What the answer shows about a model and one file of it; ``site/assets/chooser.js`` makes the same."""
    return Markup(fill("about.html", about=about, examples=about["examples"].get(path, [])))


def of_all(facts: Sequence[Facts]) -> Abouts:
    """What is said about each model, from the facts of every kind."""
    found = {one["offers"]["name"]: one[KIND.name] for one in facts}
    return lambda name: found.get(name, NOTHING)


def about_path(name: str) -> str:
    """The address of a model's about.json from the site's root."""
    return f"models/{name}/about.json"


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site
    release = picks.current(model) or model.preferred()[0]
    found = of(model, release, evidence)
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Made({about_path(model.name): text}, found)


KIND = Kind("about", _each)
