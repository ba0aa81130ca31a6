"""What the search of every page finds besides the documents: models, devices and the catalog's own pages.

``search/catalog.json`` has them in the form of ``search/search_index.json``, which mkdocs makes of the documents.
``site/assets/search-worker.js`` reads both when somebody searches, and no page loads them before. Their addresses
change with their content: ``search/versions.json`` has the versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypedDict

from catalog import device as devices
from catalog.release import Model
from zoo.site.pages import sections
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Releases, Site
from zoo.site.pages.text import shortened, visible

PATH = "search/catalog.json"

_PAGES = (
    ("", "Find a model", "Find a model for your device: Raspberry Pi, Jetson, Mac, PC or another machine."),
    ("models/", "All models", "Every model with task, languages, licence and sizes."),
    ("files/", "All files", "Every file with its size, loss, speed and memory, to filter and sort."),
    ("boards/", "Devices", "The recommended file for each device, and how it is found."),
    ("compare/", "Compare", "Two files next to each other: figures, differences with errors, and answers."),
    ("pictures/", "Charts", "Loss against size and speed of every file."),
    ("try/", "Try it in the browser", "Chat with a model in your browser, on your own machine."),
)
"""(address from the site's root, title, text) of pages that are always there."""


class Entry(TypedDict):
    """What is found: the address from the site's root, and what is searched and shown."""

    location: str
    title: str
    text: str
    kind: str


def _entry(location: str, title: str, text: str, kind: str) -> Entry:
    return {"location": location, "title": title, "text": text, "kind": kind}


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site, evidence
    release = sections.shown_release(model)
    types = [shortened(file.type, 40) for file in release.files[:20]]
    languages = [shortened(language, 40) for language in model.languages[:20]]
    words = [shortened(model.task, 100), *languages, *types, *model.former_names]
    text = f"{shortened(model.summary, 300)} {', '.join(words)}."
    return Made({}, _entry(f"models/{model.name}/", model.name, visible(text), "Model"))


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    del site, releases
    found = [*_pages(bool(facts)), *(fact[KIND.name] for fact in facts)]
    return {PATH: json.dumps({"docs": found}, ensure_ascii=False, separators=(",", ":")) + "\n"}


def _pages(answered: bool) -> Iterator[Entry]:
    for location, title, text in _PAGES:
        yield _entry(location, title, text, "Page")
    if answered:
        for device in devices.DEVICES:
            text = f"The recommended file for {device.name}, and the answers to other questions about it."
            yield _entry(f"boards/{device.id}/", device.name, text, "Device")


KIND = Kind("search", _each, _whole, needs=("search",))
